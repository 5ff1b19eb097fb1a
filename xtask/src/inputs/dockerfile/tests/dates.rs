//! The rule for stages that are dated by the commit, as a table.

use super::{PIN, hold};

#[test]
fn a_stage_that_is_dated_by_the_commit_must_contain_the_commit() {
    let two = format!("FROM --platform=$BUILDPLATFORM {PIN} AS build\nARG REVISION SOURCE_DATE_EPOCH\n");
    let last = format!("\nFROM {PIN}\nCOPY --link --from=build /out/ /\n");
    let dated = "RUN touch --date=\"@$SOURCE_DATE_EPOCH\" /out/x";
    hold(&[
        (format!("{two}{dated}{last}"), "line 3: gives files the date of the commit"),
        (format!("{two}RUN echo $REVISION > /out/build.json\n{dated}{last}"), ""),
        (
            format!(
                "{two}RUN <<EOF\necho $REVISION > /out/x\ntouch --date=@$SOURCE_DATE_EPOCH /out/x\nEOF{last}"
            ),
            "",
        ),
        (
            format!("{two}RUN echo $REVISION > /out/x\nFROM {PIN} AS other\n{dated}{last}"),
            "line 5: gives files",
        ),
        (format!("{two}RUN touch --date=@499162500 /out/x{last}"), ""),
        (format!("{two}RUN node -e 'f(process.env.REVISION)'\n{dated}{last}"), ""),
        (format!("{two}RUN echo $REVISION_X > /out/x\n{dated}{last}"), "line 4: gives files"),
        (
            format!("{two}COPY <<EOF /out/x\n$REVISION_X ${{REVISION2}}\nEOF\n{dated}{last}"),
            "line 6: gives files",
        ),
        (format!("{two}RUN echo $NO_REVISION > /out/x\n{dated}{last}"), "line 4: gives files"),
        (format!("{two}COPY <<EOF /out/x\n{{\"commit\":\"${{REVISION}}\"}}\nEOF\n{dated}{last}"), ""),
        (format!("{two}ADD <<-EOF /out/x\n$REVISION\nEOF\n{dated}{last}"), ""),
        (format!("{two}COPY <<'EOF' /out/x\n$REVISION\nEOF\n{dated}{last}"), "line 6: gives files"),
        (format!("{two}COPY <<EOF /out/x\nREVISION\nEOF\n{dated}{last}"), "line 6: gives files"),
    ]);
}
