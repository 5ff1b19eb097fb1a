//! What `docker info` reports about the engine and its client.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::{INSTALL, START_ENGINE};

/// What the engine and its client report about themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// The server's version, such as `26.1.5`.
    pub version: String,
    /// Whether it keeps images in containerd's store, which a multi-platform build on its own builder needs.
    pub has_containerd_store: bool,
    /// The version of the buildx plugin, such as `0.13.1`; `None` when it is not installed.
    pub buildx: Option<String>,
    /// Registries without TLS, by name and as networks such as `127.0.0.0/8`.
    pub insecure_registries: Vec<String>,
    /// The mirrors that the engine queries in place of Docker Hub, as URLs such as `http://mirror.example.org:5000/`.
    /// The client does not query them.
    pub mirrors: Vec<String>,
}

/// Parses `docker info --format '{{json .}}'`.
pub(super) fn parse(json: &str) -> Result<Engine> {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Info {
        server_version: Option<String>,
        driver_status: Option<Vec<(String, String)>>,
        client_info: Option<ClientInfo>,
        registry_config: Option<RegistryConfig>,
        server_errors: Option<Vec<String>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct ClientInfo {
        plugins: Option<Vec<Plugin>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct RegistryConfig {
        #[serde(rename = "InsecureRegistryCIDRs")]
        insecure_networks: Option<Vec<String>>,
        index_configs: Option<BTreeMap<String, IndexConfig>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct IndexConfig {
        secure: bool,
        mirrors: Option<Vec<String>>,
        #[serde(default)]
        official: bool,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Plugin {
        name: String,
        version: Option<String>,
    }
    let info: Info = serde_json::from_str(json).context("reading what `docker info` printed")?;
    let Some(version) = info.server_version.filter(|version| !version.is_empty()) else {
        if info.client_info.is_none() {
            bail!("`docker` on the PATH is not docker's own program (podman's?); {INSTALL}");
        }
        let errors = info.server_errors.unwrap_or_default().join("; ");
        bail!("docker's engine does not answer: {errors}; {START_ENGINE}");
    };
    let is_containerd = |(_, value): &(String, String)| value.starts_with("io.containerd.snapshotter");
    let plugins = info.client_info.and_then(|client| client.plugins).unwrap_or_default();
    let buildx = plugins.into_iter().find(|plugin| plugin.name == "buildx");
    let networks = info.registry_config.as_ref().and_then(|config| config.insecure_networks.clone());
    let indexes = info.registry_config.and_then(|config| config.index_configs).unwrap_or_default();
    let mirrors = indexes.values().filter(|index| index.official).filter_map(|index| index.mirrors.clone());
    let mirrors = mirrors.flatten().collect();
    let named = indexes.into_iter().filter(|(_, index)| !index.secure).map(|(name, _)| name);
    Ok(Engine {
        version,
        insecure_registries: networks.unwrap_or_default().into_iter().chain(named).collect(),
        has_containerd_store: info.driver_status.unwrap_or_default().iter().any(is_containerd),
        buildx: buildx
            .and_then(|plugin| plugin.version)
            .map(|version| version.trim_start_matches('v').to_owned()),
        mirrors,
    })
}

#[cfg(test)]
mod tests {
    use super::{Engine, parse};

    #[test]
    fn docker_info_is_parsed_and_an_engine_that_is_down_or_not_dockers_is_reported() {
        let json = r#"{"ServerVersion": "26.1.5", "DriverStatus": [["driver-type", "io.containerd.snapshotter.v1"]],
            "ClientInfo": {"Plugins": [{"Name": "compose"}, {"Name": "buildx", "Version": "v0.30.1"}]},
            "RegistryConfig": {"InsecureRegistryCIDRs": ["127.0.0.0/8"], "IndexConfigs": {
                "10.99.0.1:5000": {"Name": "10.99.0.1:5000", "Mirrors": [], "Secure": false, "Official": false},
                "docker.io": {"Name": "docker.io", "Mirrors": ["http://10.99.0.1:5000/"], "Secure": true, "Official": true}}}}"#;
        let expected = Engine {
            version: "26.1.5".to_owned(),
            has_containerd_store: true,
            buildx: Some("0.30.1".to_owned()),
            insecure_registries: vec!["127.0.0.0/8".to_owned(), "10.99.0.1:5000".to_owned()],
            mirrors: vec!["http://10.99.0.1:5000/".to_owned()],
        };
        assert_eq!(parse(json).unwrap(), expected);
        let bare =
            parse(r#"{"ServerVersion": "26.1.5", "DriverStatus": null, "ClientInfo": {"Plugins": null}}"#);
        assert_eq!(
            bare.unwrap(),
            Engine {
                has_containerd_store: false,
                buildx: None,
                insecure_registries: Vec::new(),
                mirrors: Vec::new(),
                ..expected
            }
        );
        let none =
            r#"{"ServerVersion": "", "ClientInfo": {}, "ServerErrors": ["cannot connect to the daemon"]}"#;
        let error = parse(none).unwrap_err().to_string();
        assert!(error.contains("cannot connect to the daemon; start it"), "{error}");
        let podman = r#"{"host": {}, "store": {}, "version": {"Version": "4.9.3"}}"#;
        let error = parse(podman).unwrap_err().to_string();
        assert!(error.contains("not docker's own program") && !error.contains("start it"), "{error}");
        assert!(parse("Cannot connect to the Docker daemon").is_err());
    }
}
