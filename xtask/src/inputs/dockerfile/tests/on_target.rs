//! Which base images must exist for every platform of the image, as a table.

use super::{PIN, check};

#[test]
fn an_image_that_is_used_only_on_the_building_machine_is_not_on_target() {
    let tools = PIN.replace("node:22-slim", "tools.example.org/ci:1");
    let builds = "FROM --platform=$BUILDPLATFORM";
    let last = format!("FROM {PIN}\nCOPY --link --from=service /out/ /\n");
    for (text, is_on_target) in [
        (format!("{builds} {tools} AS service\n{last}"), false),
        (format!("{builds} {tools} AS tools\nFROM tools AS service\n{last}"), false),
        (format!("FROM {tools} AS service\n{last}"), true),
        (format!("FROM {tools} AS tools\n{builds} tools AS service\n{last}"), true),
        (format!("{builds} {tools} AS tools\nFROM {tools} AS service\n{last}"), true),
        (format!("{builds} {PIN} AS service\nCOPY --from={tools} /x /out/\n{last}"), true),
        (
            format!("{builds} {PIN} AS service\nRUN --mount=type=bind,from={tools} --network=none x\n{last}"),
            true,
        ),
        (
            format!(
                "{builds} {tools} AS tools\n{builds} {PIN} AS service\nCOPY --from=tools /x /out/\n{last}"
            ),
            false,
        ),
        (format!("{builds} {PIN} AS service\nFROM {tools}\nCOPY --link --from=service /out/ /\n"), true),
    ] {
        let base = check(&text).unwrap();
        let image = base.distinct().find(|image| image.reference == tools).unwrap();
        assert_eq!(base.is_on_target(image), is_on_target, "{text}");
        assert!(base.is_on_target(&base.last), "{text}");
    }
}
