//! What a build is asked for, and how that reads as arguments of buildx.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What `docker buildx build` is asked for.
pub struct Build {
    /// The exported commit.
    pub context: PathBuf,
    /// Every platform of the index.
    pub platforms: Vec<String>,
    /// Build arguments, labels and annotations, by name.
    pub arguments: Vec<(&'static str, String)>,
    /// Image labels.
    pub labels: Vec<(&'static str, String)>,
    /// Annotations on the index and on each manifest.
    pub annotations: Vec<(&'static str, String)>,
    /// References to satisfy from elsewhere: `name` as the Dockerfile writes it, and where to take it.
    pub stand_ins: Vec<(String, String)>,
    /// A file with extra CA certificates for the build stage, mounted as the secret `ca`.
    pub ca_certificates: Option<PathBuf>,
    /// A buildx builder by name; empty for the current one.
    pub builder: String,
    /// `--network`; empty for the default.
    pub network: String,
    /// Where the image goes.
    pub output: Output,
    /// How long it may take.
    pub timeout: Duration,
}

/// Where a build's image goes. Media types are pinned: they are part of every digest, and builders differ in their
/// default.
pub enum Output {
    /// Pushed as `registry/path:tag`.
    Push(String),
    /// Written as an OCI layout, in a tar file: for its digest alone.
    Layout(PathBuf),
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push(name) => write!(f, "type=image,push=true,oci-mediatypes=true,name={name}"),
            Self::Layout(file) => write!(f, "type=oci,oci-mediatypes=true,dest={}", file.display()),
        }
    }
}

impl Build {
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["buildx", "build", "--progress=plain", "--provenance=false", "--sbom=false"]
                .map(str::to_owned)
                .into();
        arguments.push(format!("--platform={}", self.platforms.join(",")));
        if self.platforms.len() == 1 {
            // Else a single platform is a manifest without an index around it: docs/facts.md#one-platform.
            arguments.push("--build-arg=BUILDKIT_MULTI_PLATFORM=1".to_owned());
        }
        let each = |flag: &str, pairs: &[(&str, String)]| -> Vec<String> {
            pairs.iter().map(|(key, value)| format!("--{flag}={key}={value}")).collect()
        };
        arguments.extend(each("build-arg", &self.arguments));
        arguments.extend(each("label", &self.labels));
        // buildx 0.13 takes `index,manifest:` for a part of the key: one flag for each.
        for level in ["index", "manifest"] {
            let annotation = |(key, value): &(&str, String)| format!("--annotation={level}:{key}={value}");
            arguments.extend(self.annotations.iter().map(annotation));
        }
        arguments.extend(
            self.stand_ins
                .iter()
                .map(|(name, image)| format!("--build-context={name}=docker-image://{image}")),
        );
        arguments
            .extend(self.ca_certificates.iter().map(|path| format!("--secret=id=ca,src={}", path.display())));
        arguments.extend((!self.builder.is_empty()).then(|| format!("--builder={}", self.builder)));
        arguments.extend((!self.network.is_empty()).then(|| format!("--network={}", self.network)));
        arguments.push(format!("--output={}", self.output));
        arguments
    }
}
