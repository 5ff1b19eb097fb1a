//! The sizes that the manifest of a platform gives: of its config and layers as the registry stores them.

use anyhow::{Context as _, Result};
use serde::Deserialize;

use crate::oci::exact;
use crate::oci::reference::Digest;

/// The total size in bytes of the config and the layers that the `manifest` of a platform names (image specification
/// v1.1, "OCI Content Descriptors", `size`).
///
/// # Errors
/// When it is not an image manifest.
pub fn of(manifest: &[u8]) -> Result<u64> {
    #[derive(Deserialize)]
    struct Manifest {
        config: Descriptor,
        layers: Vec<Descriptor>,
    }
    #[derive(Deserialize)]
    struct Descriptor {
        size: u64,
    }
    let Manifest { config, layers } = exact::parse(manifest).context("it is not an image manifest")?;
    let sum = layers.iter().try_fold(config.size, |sum, layer| sum.checked_add(layer.size));
    sum.context("the sum of its sizes does not fit 64 bits")
}

/// The layers that the `manifest` of a platform names, and the size in bytes that it gives for each.
///
/// # Errors
/// As [`of`].
pub fn of_layers(manifest: &[u8]) -> Result<Vec<(Digest, u64)>> {
    #[derive(Deserialize)]
    struct Manifest {
        layers: Vec<Layer>,
    }
    #[derive(Deserialize)]
    struct Layer {
        digest: Digest,
        size: u64,
    }
    let Manifest { layers } = exact::parse(manifest).context("it is not an image manifest")?;
    Ok(layers.into_iter().map(|layer| (layer.digest, layer.size)).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of, of_layers};
    use crate::oci::reference::Digest;

    #[test]
    fn the_size_is_that_of_the_config_and_of_every_layer() {
        let manifest = |sizes: &str| format!(r#"{{"config":{{"size":5}},"layers":[{sizes}],"more":1}}"#);
        assert_eq!(of(manifest(r#"{"size":7},{"size":7}"#).as_bytes()).unwrap(), 19);
        assert_eq!(of(manifest("").as_bytes()).unwrap(), 5);
        let wrong = [r#"{"size":18446744073709551615}"#, r#"{"size":-1}"#, r#"{"size":"7"}"#, "{}"];
        for sizes in wrong {
            assert!(of(manifest(sizes).as_bytes()).is_err(), "{sizes}");
        }
        assert!(of(br#"{"manifests":[]}"#).is_err(), "an index");
    }

    #[test]
    fn a_manifest_says_how_long_its_layers_are_and_an_index_does_not() {
        let digest = Digest::of(b"x");
        let manifest =
            |size: serde_json::Value| json!({"layers": [{"digest": digest, "size": size}]}).to_string();
        assert_eq!(of_layers(manifest(json!(7)).as_bytes()).unwrap(), [(digest.clone(), 7)]);
        for other in [manifest(json!(-1)), manifest(json!("7")), json!({"manifests": []}).to_string()] {
            assert!(of_layers(other.as_bytes()).is_err(), "{other}");
        }
    }
}
