//! The steps that the builder ran with a network, compared with those that the provenance names. The provenance's
//! list is our reading of the Dockerfile; where the builder reports what it ran, its report decides.

use crate::inputs::dockerfile::NetworkedStep;
use crate::tool::docker::RanStep;

/// The first step in `ran` that has no known origin, or one that is not in `named`.
pub(super) fn first_unnamed<'a>(ran: &'a [RanStep], named: &[NetworkedStep]) -> Option<&'a RanStep> {
    let is_named = |lines: &Vec<usize>| named.iter().any(|step| lines.contains(&step.line));
    ran.iter().find(|step| step.origins.is_empty() || !step.origins.iter().all(is_named))
}

#[cfg(test)]
mod tests {
    use super::first_unnamed;
    use crate::inputs::dockerfile::NetworkedStep;
    use crate::tool::docker::RanStep;

    #[test]
    fn each_origin_of_a_step_with_a_network_has_to_be_named() {
        let named = [3, 9].map(|line| NetworkedStep { line, words: "RUN npm ci".to_owned() });
        for (origins, is_named) in [
            (vec![vec![3]], true),
            (vec![vec![3, 4, 5], vec![9]], true),
            // The first line of the step is an empty continuation line.
            (vec![vec![8, 9]], true),
            (vec![vec![4]], false),
            (vec![vec![3], vec![4]], false),
            (vec![vec![]], false),
            (vec![], false),
        ] {
            let ran = [RanStep { command: "x".to_owned(), origins: origins.clone() }];
            assert_eq!(first_unnamed(&ran, &named).is_none(), is_named, "{origins:?}");
        }
        assert_eq!(first_unnamed(&[], &[]), None);
    }
}
