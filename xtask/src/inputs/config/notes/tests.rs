//! The groups of release notes as the configuration writes them.

use super::{Groups, Notes, Show};

fn read(groups: &str) -> Result<Notes, String> {
    basic_toml::from_str(&format!("groups = [{groups}]")).map_err(|error| error.to_string())
}

#[test]
fn groups_keep_their_order_and_one_holds_all_commits_that_none_names() {
    let groups = read(
        r#"{ types = ["Feat", "feature"], title = "🚀 New & more" }, { types = ["chore"], show = "hidden" },
           { types = ["*", "parser"], title = "The rest", show = "folded" }, { types = ["fix"], title = "Fixes" }"#,
    )
    .unwrap()
    .groups;
    let titles: Vec<_> = groups.iter().map(|group| (&*group.title, group.show)).collect();
    let expected = [
        ("🚀 New & more", Show::Listed),
        ("", Show::Hidden),
        ("The rest", Show::Folded),
        ("Fixes", Show::Listed),
    ];
    assert_eq!(titles, expected);
    assert_eq!(groups.at(0).heading(), "🚀 New &amp; more");
    assert_eq!(
        ["FEAT", "chore", "parser", "perf"].map(|name| groups.named(name)),
        [Some(0), Some(1), Some(2), None]
    );
    assert_eq!(groups.others(), 2);

    let few = read(r#"{ types = ["feat"], title = "Features" }"#).unwrap().groups;
    assert_eq!((few.others(), &*few.at(1).title, few.at(1).show), (1, "Other changes", Show::Listed));
    assert_eq!(read("").unwrap().groups, Groups::default());
    assert_eq!(Groups::default().named("hotfix"), Some(2));
    let keeping: Vec<_> = groups.iter().map(|group| (group.keeps_types(), group.is_of_one_type())).collect();
    assert_eq!(keeping, [(false, false), (false, true), (true, false), (false, true)]);
    let beside_others = read(r#"{ types = ["fix", "*"], title = "All" }"#).unwrap().groups;
    assert!(beside_others.at(0).keeps_types(), "it also holds commits that no group names");
}

#[test]
fn invalid_groups_are_refused_with_the_reason() {
    let long = format!(r#"{{ types = ["a"], title = "{}" }}"#, "x".repeat(51));
    let many = (0..33)
        .map(|number| format!(r#"{{ types = ["{number}"], title = "{number}" }}"#))
        .collect::<Vec<_>>();
    for (groups, expected) in [
        (
            r#"{ types = ["a"], title = "A" }, { types = ["b", "A"], title = "B" }"#,
            "the type `a` in two groups",
        ),
        (
            r#"{ types = ["*"], title = "A" }, { types = ["*"], show = "hidden" }"#,
            "the type `*` in two groups",
        ),
        (r#"{ types = ["a"], title = "A" }, { types = ["b"], title = "a" }"#, "the title `a` twice"),
        (r#"{ types = ["a"] }"#, "no `title`"),
        (r#"{ types = [], title = "A" }"#, "no `types`"),
        (r#"{ title = "A" }"#, "types"),
        (r#"{ types = ["a"], title = "" }"#, "it is empty"),
        (r#"{ types = ["a"], title = "  " }"#, "it is empty"),
        (r#"{ types = ["a"], title = " A" }"#, "begins or ends with a blank"),
        (r#"{ types = ["a"], title = "A\nB" }"#, r"it has `\n`"),
        (r#"{ types = ["a"], title = "A\u202eB" }"#, r"it has `\u{202e}`"),
        (r#"{ types = ["a"], title = "A\u00a0B" }"#, r"it has `\u{a0}`"),
        (r#"{ types = ["a"], title = "<b>" }"#, "it has `<`"),
        (r#"{ types = ["a"], title = "@all" }"#, "it has `@`"),
        (r#"{ types = ["a"], title = "a #1" }"#, "it has `#`"),
        (r#"{ types = ["a"], title = "www.example.org" }"#, "it has `.`"),
        (r#"{ types = ["a"], title = "*A*" }"#, "it has `*`"),
        (r#"{ types = [""], title = "A" }"#, "it is empty"),
        (r#"{ types = ["feat(api)"], title = "A" }"#, "without a scope"),
        (r#"{ types = ["feat!"], title = "A" }"#, "without a scope"),
        (r#"{ types = ["a\u0007"], title = "A" }"#, "without a scope"),
        (r#"{ types = ["a"], title = "A", show = "never" }"#, "never"),
        (r#"{ types = ["a"], title = "A", hidden = true }"#, "hidden"),
        (&long, "longer than 50"),
        (&many.join(","), "more than 32"),
    ] {
        let error = read(groups).unwrap_err();
        assert!(error.contains(expected), "expected `{expected}` in: {error}");
    }
}
