//! The forms of `workspaces` in a package.json and in the lockfile.

use serde_json::{Value, json};

use crate::inputs::config::Folder;

#[test]
fn only_the_services_own_workspaces_have_a_form() {
    let folder = Folder::default();
    let nohoist = json!({"nohoist": ["**/x"]});
    let read = |root: &Value, inner: &Value| {
        let mut manifest = json!({"name": "s", "dependencies": {"a": "1"}});
        if !root.is_null() {
            manifest["workspaces"] = root.clone();
        }
        let entry = json!({"version": "1.0.0", "integrity": "sha512-YQ==", "workspaces": inner});
        let lock = json!({"lockfileVersion": 3, "packages": {"": manifest, "node_modules/a": entry}});
        super::super::check(&folder, manifest.to_string().as_bytes(), lock.to_string().as_bytes()).map(drop)
    };
    read(&Value::Null, &nohoist).unwrap();
    let error = format!("{:#}", read(&nohoist, &nohoist).unwrap_err());
    assert!(error.contains("neither a list of patterns nor a table"), "{error}");
}
