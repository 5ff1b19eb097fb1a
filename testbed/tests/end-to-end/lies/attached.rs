//! Makes and changes what cosign stores beside an image: signatures and attestations, by one key or another.

use anyhow::{Context as _, Result, ensure};
use serde_json::Value;
use xtask::evidence::attached::{self, Attested, PROVENANCE_PREDICATE, Signed, TEST_RESULT_PREDICATE};
use xtask::evidence::attestation::statement;
use xtask::evidence::bundle::{self, Bundle, Hint, Of, Subject};
use xtask::evidence::envelope::{pae, seal};
use xtask::inputs::keys::PublicKey;
use xtask::oci::media_type;
use xtask::oci::reference::{Digest, Image};
use xtask::oci::registry::Credentials;
use xtask::process::Runner;
use xtask::process::secret::Secret;
use xtask::tool::cosign::{Cosign, SigningKey};
use xtask::tool::docker::DockerConfig;

use super::honest::Honest;
use super::registry::{Manifest, Registry};
use crate::forge::project::Project;
use crate::harness::{TIMEOUT, call, environment, export};

/// The predicate type of an SBOM.
pub(super) const SBOM_TYPE: &str = "https://cyclonedx.org/bom";

/// Keys only reach cosign through the environment.
const KEY: [&str; 4] = ["--yes", "--key", "env://COSIGN_PRIVATE_KEY", "--tlog-upload=false"];

/// Someone with a key and the right to push.
pub(super) struct Signer {
    image: Image,
    credentials: Credentials,
    key: Secret,
    password: Secret,
}

impl Signer {
    pub(super) fn new(project: &Project, image: &Image, key: Secret, password: Secret) -> Self {
        let credentials = Credentials::new(project.user.name(), project.user.token().clone());
        Self { image: image.clone(), credentials, key, password }
    }

    fn cosign(&self, program: &str, arguments: &[&str], digest: &Digest) -> Result<()> {
        let pinned = self.image.pinned(digest);
        let docker = DockerConfig::new(&environment(), Some((&self.image.registry, &self.credentials)))?;
        let call = call(export(program)?, &[arguments, &[&*pinned]].concat())?;
        let call = call.env("DOCKER_CONFIG", docker.path());
        call.secret_env("COSIGN_PRIVATE_KEY", &self.key).secret_env("COSIGN_PASSWORD", &self.password).run()
    }

    /// Signs a digest; `options` are those of `cosign sign`.
    pub(super) fn sign(&self, digest: &Digest, options: &[&str]) -> Result<()> {
        self.cosign("TESTBED_COSIGN_2", &[&["sign"], &KEY[..], options].concat(), digest)
    }

    /// Signs a digest as cosign 3 does by default, in a bundle.
    pub(super) fn sign_in_a_bundle(&self, digest: &Digest) -> Result<()> {
        let options = ["--use-signing-config=false"];
        self.cosign("TESTBED_COSIGN_3", &[&["sign"], &KEY[..], &options].concat(), digest)
    }

    /// A statement as a release makes it, in its envelope: `predicate` is about `digest` and then `platforms`.
    pub(super) fn attest(
        &self,
        digest: &Digest,
        platforms: &[Digest],
        kind: &'static str,
        predicate: &Value,
    ) -> Result<Signed> {
        // Only the digests of the subjects matter.
        let platforms: Vec<_> =
            platforms.iter().map(|digest| ("platform".to_owned(), digest.clone())).collect();
        let predicate = serde_json::to_vec(predicate).context("writing a predicate")?;
        let statement = statement(kind, &predicate, &self.image, digest, &platforms)?;
        let signature = self.sign_bytes(&pae(&statement))?;
        Ok(Signed { bytes: seal(&statement, &signature), predicate_type: kind })
    }

    /// The signature of bytes, in base64.
    pub(super) fn sign_bytes(&self, bytes: &[u8]) -> Result<String> {
        let (runner, docker) = (Runner::new(&environment()), DockerConfig::new(&environment(), None)?);
        let program = export("TESTBED_COSIGN_2")?;
        let key = SigningKey::new(self.key.clone(), self.password.clone());
        Cosign::new(&runner, &*program, &docker, TIMEOUT).sign_blob(&key, bytes)
    }
}

/// Stores the attestations of `digest` as a release does.
pub(super) fn store(registry: &Registry, digest: &Digest, envelopes: &[Signed]) -> Result<()> {
    let config = attached::config(envelopes)?;
    for blob in envelopes.iter().map(|envelope| &envelope.bytes).chain([&config]) {
        registry.upload(blob)?;
    }
    let (media_type, bytes) = (media_type::MANIFEST.to_owned(), attached::manifest(envelopes, &config)?);
    registry.put(&stored_as(digest, "att"), &Manifest { media_type, bytes })
}

/// The tag under which cosign stores what belongs to a digest.
pub(super) fn stored_as(digest: &Digest, kind: &str) -> String {
    format!("sha256-{}.{kind}", digest.hex())
}

/// The predicates attested for `digest`: the provenance, the SBOM and the test result.
pub(super) fn predicates(registry: &Registry, digest: &Digest) -> Result<[Value; 3]> {
    let stored = registry.manifest(&stored_as(digest, "att"))?.json()?;
    let predicate = |kind: &str| {
        let layer = &stored["layers"][position(&stored, kind)?];
        let envelope: Value =
            serde_json::from_slice(&registry.blob(&layer["digest"].as_str().context("a layer")?.parse()?)?)?;
        let payload = envelope["payload"].as_str().context("an envelope without a payload")?;
        let statement = call("base64", &["--decode"])?.stdin(payload).output()?.success()?.stdout;
        let statement: Value = serde_json::from_slice(&statement).context("reading a statement")?;
        Ok::<_, anyhow::Error>(statement["predicate"].clone())
    };
    Ok([predicate(PROVENANCE_PREDICATE)?, predicate(SBOM_TYPE)?, predicate(TEST_RESULT_PREDICATE)?])
}

/// The position of the layer with the attestation of a type.
pub(super) fn position(stored: &Value, kind: &str) -> Result<usize> {
    let layers = stored["layers"].as_array().context("attestations without layers")?;
    let found = layers.iter().position(|layer| layer["annotations"]["predicateType"] == kind);
    found.with_context(|| format!("no attestation of `{kind}` in {stored:#}"))
}

impl Honest {
    /// Removes all signatures of the release's index.
    pub(super) fn unsign(&self) -> Result<()> {
        self.registry.delete(&stored_as(&self.digest, "sig"))
    }

    /// Replaces the attestation of the type `kind` with a new one by the project's key, and makes the bundles and the
    /// page's files again to match.
    pub(super) fn attest_anew(&self, kind: &'static str, predicate: &Value) -> Result<()> {
        self.replace_attestation(self.own.attest(&self.digest, &self.manifests()?, kind, predicate)?)?;
        self.bundle_again()?;
        self.files_again(&self.digest)
    }

    /// Replaces the attestation that has the type of `new`.
    pub(super) fn replace_attestation(&self, new: Signed) -> Result<()> {
        let stored = self.registry.manifest(&stored_as(&self.digest, "att"))?.json()?;
        let kinds = Attested::ALL.map(Attested::predicate_type).into_iter();
        let kept = kinds.filter(|kind| *kind != new.predicate_type).map(|kind| {
            let digest = stored["layers"][position(&stored, kind)?]["digest"].as_str().context("a layer")?;
            Ok(Signed { bytes: self.registry.blob(&digest.parse()?)?, predicate_type: kind })
        });
        let mut envelopes: Vec<Signed> = kept.collect::<Result<_>>()?;
        // The provenance comes first.
        let place = if new.predicate_type == PROVENANCE_PREDICATE { 0 } else { envelopes.len() };
        envelopes.insert(place, new);
        store(&self.registry, &self.digest, &envelopes)
    }

    /// Replaces the bundles of the attestations with new ones of the current attestations, as someone with the key can.
    /// The signature's bundle stays.
    fn bundle_again(&self) -> Result<()> {
        let key = std::fs::read(self.project.checkout.top().join("cosign.pub")).context("reading the key")?;
        let (hint, index) =
            (Hint::of(&PublicKey::parse(&key)?), self.registry.manifest(self.digest.as_str())?);
        let subject = Subject::of(&index.bytes)?;
        let tag = bundle::tag(&self.digest).to_string();
        let mut named = self.registry.manifest(&tag)?.json()?;
        let stored = self.registry.manifest(&stored_as(&self.digest, "att"))?.json()?;
        for of in Attested::ALL {
            let layer = &stored["layers"][position(&stored, of.predicate_type())?];
            let envelope = self.registry.blob(&layer["digest"].as_str().context("a layer")?.parse()?)?;
            let bundle = Bundle::new(Of::Attestation(of), &envelope, &hint);
            self.registry.upload(&bundle.bytes)?;
            let manifest = Manifest::of(&serde_json::from_slice(&bundle.manifest(&subject)?)?)?;
            self.registry.put(manifest.digest().as_str(), &manifest)?;
            let entries = named["manifests"].as_array_mut().context("an index without manifests")?;
            let kind = "dev.sigstore.bundle.predicateType";
            let entry = entries.iter_mut().find(|entry| entry["annotations"][kind] == of.predicate_type());
            let entry = entry.context("there was no such bundle")?;
            entry["digest"] = manifest.digest().as_str().into();
            entry["size"] = manifest.bytes.len().into();
        }
        self.registry.put(&tag, &Manifest::of(&named)?)
    }

    /// Attests a changed provenance with the project's key.
    pub(super) fn change_provenance(&self, change: impl FnOnce(&mut Value)) -> Result<()> {
        let mut changed = self.provenance.clone();
        change(&mut changed);
        ensure!(changed != self.provenance, "the provenance was not changed");
        self.attest_anew(PROVENANCE_PREDICATE, &changed)
    }

    /// Attests a changed SBOM with the project's key, and returns its digest.
    pub(super) fn change_sbom(&self, change: impl FnOnce(&mut Value)) -> Result<Digest> {
        let mut changed = self.sbom.clone();
        change(&mut changed);
        ensure!(changed != self.sbom, "the SBOM was not changed");
        self.attest_anew(SBOM_TYPE, &changed)?;
        // In the form in which the release writes it.
        Ok(Digest::of(&[&serde_json::to_vec_pretty(&changed)?, &b"\n"[..]].concat()))
    }
}
