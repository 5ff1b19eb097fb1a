//! An image in a directory.

use crate::evidence::claims::{IMAGE_LABELS, IMAGE_PRESENT};
use crate::verify::claim::Verdict::{False, Holds, Unchecked};
use crate::verify::claim::{Claim, Unavailable};
use crate::verify::survey::with_blobs;

#[test]
fn a_false_claim_stays_false_whatever_could_not_be_read_beside_it() {
    let words = || "found".to_owned();
    let wrong = || Err(Unavailable::Invalid(words()));
    let unknown = || Err(Unavailable::Failed(words()));
    for (present, blobs, expected) in [
        (Ok(()), Ok(()), Holds),
        (Ok(()), unknown(), Unchecked),
        (Ok(()), wrong(), False),
        (unknown(), Ok(()), Unchecked),
        (unknown(), unknown(), Unchecked),
        (unknown(), wrong(), False),
        (wrong(), Ok(()), False),
        (wrong(), unknown(), False),
        (wrong(), wrong(), False),
    ] {
        let claims = [(IMAGE_PRESENT, &present), (IMAGE_LABELS, &Ok(()))];
        let claims = claims.map(|(id, seen)| Claim::judge(id, seen, |()| Ok(words())));
        let judged = with_blobs(claims.into(), &blobs);
        let verdicts: Vec<_> = judged.iter().map(|claim| claim.verdict).collect();
        assert_eq!(verdicts, [expected, Holds], "{present:?} {blobs:?}");
    }
}
