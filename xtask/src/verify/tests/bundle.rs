//! Bundles beside an image, as a release stores them and as somebody may change them.

use serde_json::{Value, json};

use crate::evidence::attached::{Attested, Kind};
use crate::evidence::bundle::{self, Bundle, Of, Subject};
use crate::evidence::provenance::BuildType;
use crate::evidence::signed_as::SignedAs;
use crate::inputs::source::Source;
use crate::oci::media_type;
use crate::oci::reference::Digest;
use crate::tool::git::Commit;

use super::change::Key;
use super::world::World;

impl World {
    fn subject(&self, of: &Digest) -> Subject {
        Subject::of(&self.blobs[of]).expect("an image")
    }

    /// The bundle of a signature.
    pub(super) fn signature_bundle(&self, of: &Digest, version: &str, by: Key) -> Bundle {
        self.signature_bundle_of(of, version, self.signed_commit.as_ref(), by)
    }

    /// The bundle of a signature that names this commit, or no commit.
    pub(super) fn signature_bundle_of(
        &self,
        of: &Digest,
        version: &str,
        commit: Option<&Commit>,
        by: Key,
    ) -> Bundle {
        let build_type = if commit.is_some() { BuildType::V2 } else { BuildType::V1 };
        // If the signature names no commit, any will do.
        let commit = commit.or(self.forge_tag.as_ref()).expect("the forge has the tag").clone();
        let tag = format!("v{version}").parse().expect("a tag");
        let source = Source { tag, commit, time: 0, is_tagged: true };
        Bundle::of_signature(of, SignedAs::of(&source, build_type), by.signature(), &self.hint)
    }

    /// The bundle of the attached envelope of a kind.
    pub(super) fn attestation_bundle(&self, of: Attested) -> Bundle {
        let layers = self.layers_of(&self.digest, Kind::Attestations);
        let is_wanted =
            |layer: &&(Value, Vec<u8>)| layer.0["annotations"]["predicateType"] == of.predicate_type();
        let (_, envelope) = layers.iter().find(is_wanted).expect("it is attested");
        Bundle::new(Of::Attestation(of), envelope, &self.hint)
    }

    /// Stores a bundle and its manifest; nothing names the manifest yet.
    pub(super) fn put_bundle(&mut self, of: &Digest, bundle: &Bundle) -> Digest {
        self.blobs.insert(Digest::of(&bundle.bytes), bundle.bytes.clone());
        let manifest = bundle.manifest(&self.subject(of)).expect("JSON is written");
        let digest = Digest::of(&manifest);
        self.blobs.insert(digest.clone(), manifest);
        digest
    }

    /// The kinds that are attached to the released image.
    pub(super) fn attested(&self) -> Vec<Attested> {
        let layers = self.layers_of(&self.digest, Kind::Attestations);
        let is_there = |of: &Attested| {
            layers.iter().any(|(layer, _)| layer["annotations"]["predicateType"] == of.predicate_type())
        };
        Attested::ALL.into_iter().filter(is_there).collect()
    }

    /// The bundles of the released image, made from what is attached.
    pub(super) fn bundles(&self) -> Vec<Bundle> {
        let signature = self.signature_bundle(&self.digest.clone(), &self.version(), Key::Own);
        let attested = self.attested().into_iter().map(|of| self.attestation_bundle(of));
        [signature].into_iter().chain(attested).collect()
    }

    /// Makes `manifests`, and nothing else, refer to `of`.
    pub(super) fn refer_only(&mut self, of: &Digest, manifests: &[Digest]) {
        if self.referrers.is_some() {
            self.referrers = Some(manifests.to_vec());
            return;
        }
        let entry = |digest: &Digest| {
            let manifest = self.json(digest.as_str());
            json!({
                "mediaType": media_type::MANIFEST,
                "digest": digest,
                "size": self.blobs[digest].len(),
                "artifactType": manifest["artifactType"],
                "annotations": manifest["annotations"],
            })
        };
        let entries: Vec<_> = manifests.iter().map(entry).collect();
        let index = json!({ "schemaVersion": 2, "mediaType": media_type::INDEX, "manifests": entries });
        let index = self.put(&index);
        self.tags.insert(bundle::tag(of).to_string(), index);
    }

    /// Stores `bundles`, and no others, beside the released image.
    pub(super) fn bundle_only(&mut self, bundles: &[Bundle]) {
        let of = self.digest.clone();
        let manifests: Vec<_> = bundles.iter().map(|bundle| self.put_bundle(&of, bundle)).collect();
        self.refer_only(&of, &manifests);
    }

    /// The manifests that refer to the released image.
    pub(super) fn referring(&self) -> Vec<Digest> {
        if let Some(listed) = &self.referrers {
            return listed.clone();
        }
        let index = self.json(bundle::tag(&self.digest).as_str());
        bundle::named(index.to_string().as_bytes()).expect("an index")
    }

    /// Adds one more reference to the released image, before all others.
    pub(super) fn refer_first(&mut self, manifest: Digest) {
        let (of, mut all) = (self.digest.clone(), self.referring());
        all.insert(0, manifest);
        self.refer_only(&of, &all);
    }

    /// Makes the registry list referrers itself; there is no tag for them then.
    pub(super) fn list_referrers(&mut self) {
        let listed = self.referring();
        self.tags.remove(bundle::tag(&self.digest).as_str());
        self.referrers = Some(listed);
    }

    /// Makes the bundles anew, if there are any, after somebody with the key changed what is attached to `of`.
    pub(super) fn bundle_again(&mut self, of: &Digest) {
        let build_type = if self.signed_commit.is_some() { BuildType::V2 } else { BuildType::V1 };
        let is_whole = || self.attested() == build_type.attested();
        if of == &self.digest && self.tags.contains_key(bundle::tag(of).as_str()) && is_whole() {
            self.bundle_only(&self.bundles());
        }
    }
}
