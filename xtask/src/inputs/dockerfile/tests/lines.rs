//! Lines that `BuildKit` joins, ends or runs in an unexpected way.

use super::{PIN, hold};

#[test]
fn an_instruction_cannot_hide_from_the_rules_for_the_final_stage() {
    let two = format!("FROM --platform=$BUILDPLATFORM {PIN} AS build\n");
    let last = format!("\nFROM {PIN}\nCOPY --link --from=build /out/ /\n");
    hold(&[
        // Lines are joined without a space, and only spaces and tabs may follow the mark.
        (format!("FROM {PIN}\nR\\\nUN npm install\n"), "line 2: `RUN npm install` in the final stage"),
        (format!("FROM {PIN}\nLABEL a=b \\\u{b}\nRUN make\n"), "line 3: `RUN make` in the final stage"),
        (
            format!("{two}{last}COPY --link <<EOF /x\nEOF\r\r\nRUN make\nEOF\n"),
            "line 7: `RUN make` in the final stage",
        ),
        (
            format!("ARG B=a C=\"x B=b\"\nFROM {PIN} AS a\nRUN make\nFROM {PIN} AS b\nFROM $B\n"),
            "line 3: `RUN make` in",
        ),
        (
            format!("FROM {PIN} AS a\nONBUILD RUN make\nFROM a\n"),
            "line 2: `ONBUILD RUN make`: it runs in each stage",
        ),
    ]);
}
