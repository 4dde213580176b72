//! Resources that a pod requests from its node, as the scheduler counts them.

use super::quantity::{Amounts, add};

/// One container of a pod
#[derive(Debug, Clone, Default)]
pub struct Part {
    /// Requests.
    pub requests: Amounts,
    /// Whether it is an init container that keeps running beside the others.
    pub sidecar: bool,
}

/// Requests of a pod: containers and sidecars together, or an init container if that is more.
///
/// Source: `PodRequests` in Kubernetes' `component-helpers/resource`.
pub fn requests(init: &[Part], containers: &[Part], overhead: &Amounts) -> Amounts {
    let mut sum = Amounts::new();
    for part in containers {
        add(&mut sum, &part.requests);
    }
    let (mut sidecars, mut highest) = (Amounts::new(), Amounts::new());
    for part in init {
        let mut now = sidecars.clone();
        add(&mut now, &part.requests);
        if part.sidecar {
            sidecars.clone_from(&now);
        }
        raise(&mut highest, &now);
    }
    add(&mut sum, &sidecars);
    raise(&mut sum, &highest);
    add(&mut sum, overhead);
    sum
}

fn raise(to: &mut Amounts, at_least: &Amounts) {
    for (name, amount) in at_least {
        let found = to.entry(name.clone()).or_default();
        *found = (*found).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use super::super::Quantity;
    use super::*;

    #[test]
    fn init_containers_count_only_where_they_are_larger() {
        let part = |cpu: &str, sidecar| Part {
            requests: Amounts::from([("cpu".to_owned(), Quantity::parse(cpu).unwrap())]),
            sidecar,
        };
        let cpu =
            |init: &[Part]| requests(init, &[part("1", false), part("1", false)], &Amounts::new())["cpu"];
        assert_eq!(cpu(&[]), Quantity::whole(2));
        assert_eq!(cpu(&[part("1500m", false)]), Quantity::whole(2));
        assert_eq!(cpu(&[part("3", false)]), Quantity::whole(3));
        assert_eq!(cpu(&[part("1", true)]), Quantity::whole(3));
        assert_eq!(cpu(&[part("1", true), part("4", false)]), Quantity::whole(5));
        let overhead = Amounts::from([("cpu".to_owned(), Quantity::milli(250))]);
        assert_eq!(requests(&[], &[part("1", false)], &overhead)["cpu"], Quantity::milli(1250));
    }
}
