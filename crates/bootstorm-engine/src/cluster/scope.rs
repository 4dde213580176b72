//! Where the VMs of a run are searched for: in a few namespaces, or in the whole cluster.

use std::collections::BTreeSet;

use futures::future::try_join_all;

use super::call::path;
use super::list::list_as;
use super::machines::Machine;
use super::metadata::Watched;
use super::{Cluster, ClusterError};
use bootstorm_model::plan::{Plan, Target};

/// Above this number, namespaces are not watched one by one: each would need an open connection.
const MOST_NAMESPACES: usize = 20;

/// Scope of a search for VMs
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// Every namespace; requires permissions for all of them.
    All,
    /// These namespaces.
    Namespaces(Vec<String>),
}

impl Scope {
    /// Scope of a plan: adopted VMs have no label, so the scope is their namespaces; VMs in an existing namespace are
    /// searched for there, since its users may have no permissions elsewhere.
    pub fn of_plan(plan: &Plan) -> Self {
        match &plan.layout.namespace {
            _ if plan.is_adopted() => Self::of(&plan.targets()),
            Some(namespace) => Self::Namespaces(vec![namespace.clone()]),
            None => Self::All,
        }
    }

    /// Scope of these VMs: individual namespaces as long as there are few, so that other VMs cost nothing and
    /// permissions in these namespaces suffice.
    pub fn of<'a>(targets: impl IntoIterator<Item = &'a Target>) -> Self {
        let names: BTreeSet<&String> = targets.into_iter().map(|target| &target.namespace).collect();
        Self::around(names)
    }

    /// Scope of some namespaces, each named once.
    pub fn around<'a>(names: impl IntoIterator<Item = &'a String>) -> Self {
        let names: Vec<&String> = names.into_iter().collect();
        if names.len() > MOST_NAMESPACES {
            return Self::All;
        }
        Self::Namespaces(names.into_iter().cloned().collect())
    }

    /// Collections of a kind of `kubevirt.io`.
    pub fn collections(&self, plural: &str) -> Vec<String> {
        self.collections_of("kubevirt.io/v1", plural)
    }

    /// Collections of a kind.
    pub fn collections_of(&self, version: &str, plural: &str) -> Vec<String> {
        match self {
            Self::All => vec![path(version, None, plural)],
            Self::Namespaces(names) => names.iter().map(|name| path(version, Some(name), plural)).collect(),
        }
    }
}

impl Cluster {
    /// Every VM in a scope that matches a label selector.
    pub async fn machines_in(&self, scope: &Scope, selector: &str) -> Result<Vec<Machine>, ClusterError> {
        self.machines_as(scope, selector, Some).await
    }

    /// The same, each VM as `keep` returns it.
    pub async fn machines_as<T>(
        &self,
        scope: &Scope,
        selector: &str,
        keep: impl Fn(Machine) -> Option<T>,
    ) -> Result<Vec<T>, ClusterError> {
        self.list_in("list virtual machines", scope, "virtualmachines", selector, keep).await
    }

    /// Every object of a kind of `kubevirt.io` in a scope, each as `keep` returns it.
    pub(super) async fn list_in<T: Watched, U>(
        &self,
        doing: &str,
        scope: &Scope,
        plural: &str,
        selector: &str,
        keep: impl Fn(T) -> Option<U>,
    ) -> Result<Vec<U>, ClusterError> {
        let collections = scope.collections(plural);
        let listing = collections.iter().map(|collection| list_as(self, doing, collection, selector, &keep));
        let mut lists = try_join_all(listing).await?;
        Ok(if lists.len() == 1 { lists.remove(0) } else { lists.into_iter().flatten().collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_namespaces_are_looked_at_one_by_one() {
        let targets = |count: usize| -> Vec<Target> {
            (0..count).map(|n| Target { namespace: format!("n{}", n / 2), name: format!("vm{n}") }).collect()
        };
        assert_eq!(Scope::of(&targets(3)), Scope::Namespaces(vec!["n0".into(), "n1".into()]));
        assert_eq!(Scope::of(&targets(3)).collections("virtualmachines").len(), 2);
        assert_eq!(Scope::of(&targets(60)), Scope::All);
        assert_eq!(Scope::All.collections("x"), ["/apis/kubevirt.io/v1/x"]);
    }
}
