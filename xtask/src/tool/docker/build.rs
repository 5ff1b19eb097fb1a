//! The parameters of a build, and the buildx arguments that they become.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;

use super::sources::Sources;
use crate::process::secret::Secret;
use crate::process::temp_dir::random_hex;

/// The parameters of `docker buildx build`.
pub struct Build {
    /// The exported commit.
    pub context: PathBuf,
    /// All platforms of the index; empty for the builder's own platform.
    pub platforms: Vec<String>,
    /// Build arguments, by name.
    pub arguments: Vec<(&'static str, String)>,
    /// Image labels.
    pub labels: Vec<(&'static str, String)>,
    /// Annotations on the index and on each manifest.
    pub annotations: Vec<(&'static str, String)>,
    /// Replacements for references: `name` as in the Dockerfile, and the source to use instead.
    pub stand_ins: Vec<(String, String)>,
    /// What the builder may fetch besides the context.
    pub sources: Sources,
    /// A file with extra CA certificates for the build stage, mounted as the secret `ca`.
    pub ca_certificates: Option<PathBuf>,
    /// Secrets by name. `RUN --mount=type=secret,id=NAME` mounts one.
    pub secrets: Vec<(String, Secret)>,
    /// Proxy variables of the environment, by name. `BuildKit` knows these names and keeps their values out of layers,
    /// history and cache keys.
    pub proxies: Vec<&'static str>,
    /// A buildx builder by name; empty for the current one.
    pub builder: String,
    /// `--network`; empty for the default.
    pub network: String,
    /// What this build reuses from earlier builds on the same builder.
    pub cache: Cache,
    /// The destination of the image.
    pub output: Output,
    /// The timeout.
    pub timeout: Duration,
}

/// What a build reuses from earlier builds on the same builder. The key of a cached layer covers its inputs, but not
/// what a step fetched or found in a cache mount, where another build can have left anything.
pub enum Cache {
    /// Their layers, and the contents of their cache mounts.
    Shared,
    /// Nothing. Every step runs, with empty cache mounts under an unpredictable name.
    Own(String),
}

impl Cache {
    /// A cache for a single build.
    ///
    /// # Errors
    /// When the system gives no random bytes.
    pub fn own() -> Result<Self> {
        Ok(Self::Own(random_hex()?))
    }
}

/// The destination of a build's image. Media types are pinned: they are part of every digest, and builders have
/// different defaults.
pub enum Output {
    /// Pushed.
    Push {
        /// `registry/path:tag`.
        name: String,
        /// The registry is not on this machine and has no TLS.
        is_plain_elsewhere: bool,
    },
    /// Written as an OCI layout, in a tar file.
    Layout(PathBuf),
    /// Only its files, written below a directory, without an image.
    Files(PathBuf),
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Push { name, is_plain_elsewhere } => {
                let insecure = if *is_plain_elsewhere { "registry.insecure=true," } else { "" };
                write!(f, "type=image,push=true,oci-mediatypes=true,{insecure}name={name}")
            }
            Self::Layout(file) => write!(f, "type=oci,oci-mediatypes=true,dest={}", file.display()),
            Self::Files(directory) => write!(f, "type=local,dest={}", directory.display()),
        }
    }
}

impl Build {
    pub(super) fn arguments(&self) -> Vec<String> {
        let mut arguments: Vec<String> =
            ["buildx", "build", "--progress=plain", "--provenance=false", "--sbom=false"]
                .map(str::to_owned)
                .into();
        arguments
            .extend((!self.platforms.is_empty()).then(|| format!("--platform={}", self.platforms.join(","))));
        if self.platforms.len() == 1 {
            // Otherwise a single platform is a manifest without an index around it: docs/facts.md#one-platform.
            arguments.push("--build-arg=BUILDKIT_MULTI_PLATFORM=1".to_owned());
        }
        let each = |flag: &str, pairs: &[(&str, String)]| -> Vec<String> {
            pairs.iter().map(|(key, value)| format!("--{flag}={key}={value}")).collect()
        };
        arguments.extend(each("build-arg", &self.arguments));
        arguments.extend(each("label", &self.labels));
        // buildx 0.13 reads `index,manifest:` as a part of the key, so each level needs its own flag.
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
        arguments
            .extend(self.secrets.iter().map(|(name, _)| format!("--secret=id={name},env={}", carrier(name))));
        // Without values: buildx takes them from its environment, because a proxy's address may hold a password.
        arguments.extend(self.proxies.iter().map(|name| format!("--build-arg={name}")));
        arguments.extend((!self.builder.is_empty()).then(|| format!("--builder={}", self.builder)));
        arguments.extend((!self.network.is_empty()).then(|| format!("--network={}", self.network)));
        if let Cache::Own(name) = &self.cache {
            // `--no-cache` does not empty cache mounts: docs/facts.md#cache-mounts.
            arguments
                .extend(["--no-cache".to_owned(), format!("--build-arg=BUILDKIT_CACHE_MOUNT_NS={name}")]);
        }
        arguments.push(format!("--output={}", self.output));
        arguments
    }
}

/// The environment variable in which buildx gets the secret `name`. The commit chooses the names of secrets. The
/// prefix keeps it from setting a variable that changes what docker does, such as the one for the source policy.
pub(super) fn carrier(name: &str) -> String {
    format!("XTASK_BUILD_SECRET_{name}")
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::time::Duration;

    use super::{Build, Cache, Output, Sources};
    use crate::process::secret::Secret;

    fn build(output: Output) -> Build {
        Build {
            context: PathBuf::new(),
            platforms: vec!["linux/amd64".to_owned()],
            arguments: Vec::new(),
            labels: Vec::new(),
            annotations: Vec::new(),
            stand_ins: Vec::new(),
            sources: Sources::default(),
            ca_certificates: None,
            secrets: vec![("NPM_TOKEN".to_owned(), Secret::new("npm-token-value"))],
            proxies: vec!["HTTPS_PROXY"],
            builder: String::new(),
            network: String::new(),
            cache: Cache::Shared,
            output,
            timeout: Duration::ZERO,
        }
    }

    #[test]
    fn secrets_and_proxies_are_passed_by_name_and_never_by_value() {
        let arguments = build(Output::Layout(PathBuf::from("x.tar"))).arguments();
        assert!(arguments.contains(&"--secret=id=NPM_TOKEN,env=XTASK_BUILD_SECRET_NPM_TOKEN".to_owned()));
        assert!(arguments.contains(&"--build-arg=HTTPS_PROXY".to_owned()), "{arguments:?}");
        assert!(!arguments.iter().any(|argument| argument.contains("npm-token-value")), "{arguments:?}");
    }

    #[test]
    fn a_build_with_its_own_cache_reuses_no_layers_and_no_cache_mounts() {
        let arguments = |cache| Build { cache, ..build(Output::Layout(PathBuf::from("x.tar"))) }.arguments();
        let own = arguments(Cache::own().unwrap());
        let mounts = |arguments: &[String]| {
            arguments.iter().find(|argument| argument.contains("CACHE_MOUNT_NS=")).cloned()
        };
        assert!(own.contains(&"--no-cache".to_owned()), "{own:?}");
        assert!(mounts(&own).is_some_and(|name| name.len() > 50), "{own:?}");
        assert_ne!(mounts(&own), mounts(&arguments(Cache::own().unwrap())));
        let shared = arguments(Cache::Shared);
        assert!(!shared.contains(&"--no-cache".to_owned()) && mounts(&shared).is_none(), "{shared:?}");
    }

    #[test]
    fn only_a_registry_marked_as_without_tls_is_pushed_to_without_tls() {
        let push = |is_plain_elsewhere| {
            let output = Output::Push { name: "r.example.org/acme/carol:v1".to_owned(), is_plain_elsewhere };
            build(output).arguments().pop().unwrap()
        };
        assert!(push(true).contains(",registry.insecure=true,name=") && !push(false).contains("insecure"));
    }
}
