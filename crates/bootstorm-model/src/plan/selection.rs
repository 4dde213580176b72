//! Selection of the existing VMs to adopt.

use std::collections::BTreeSet;

use super::adoption::check_target;
use super::{MOST_TARGETS, Target, Template};

/// Maximum size of a list of VMs in bytes: 50,000 of the longest names.
pub const MOST_LIST_BYTES: usize = 20_000_000;

/// Namespaces of the cluster itself, by name.
const SYSTEM: [&str; 5] = ["openshift", "kubevirt", "cdi", "cattle-system", "harvester-system"];
/// Namespaces of the cluster itself, by prefix.
const SYSTEM_PREFIXES: [&str; 4] = ["kube-", "openshift-", "kubevirt-", "cdi-"];

/// Selects the existing VMs to adopt
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Those with a label, in some namespaces.
    Label {
        /// Label selector; empty selects all.
        selector: String,
        /// Namespaces; empty means all.
        namespaces: Vec<String>,
        /// Whether the user named these namespaces.
        named: bool,
    },
    /// Those on a list.
    List {
        /// Name of the file, for messages.
        name: String,
        /// SHA-256 of its text.
        sha256: String,
        /// Content.
        targets: Vec<Target>,
    },
}

impl Selection {
    /// Reads a list with one `namespace/name` per line; blank lines and text after `#` are ignored.
    ///
    /// Fails with a sentence that names the line.
    pub fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut targets = BTreeSet::new();
        for (line, number) in text.lines().zip(1..) {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let target = line.split_once('/').map(|(namespace, name)| Target {
                namespace: namespace.trim().to_owned(),
                name: name.trim().to_owned(),
            });
            let target = target.ok_or("it is not NAMESPACE/NAME".to_owned());
            let target = target.and_then(|target| check_target(&target).map(|()| target));
            let target = target.map_err(|why| format!("line {number}: {why}"))?;
            if !targets.insert(target) {
                return Err(format!("line {number}: this VM is on the list already"));
            }
            if targets.len() > MOST_TARGETS as usize {
                return Err(format!("it has more than {MOST_TARGETS} VMs"));
            }
        }
        if targets.is_empty() {
            return Err("there is no VM on it".into());
        }
        let sha256 = Template::digest(text);
        Ok(Self::List { name: name.to_owned(), sha256, targets: targets.into_iter().collect() })
    }

    /// Namespaces to search; `None` means all.
    pub fn namespaces(&self) -> Option<Vec<String>> {
        match self {
            Self::Label { namespaces, .. } if namespaces.is_empty() => None,
            Self::Label { namespaces, .. } => Some(namespaces.clone()),
            Self::List { targets, .. } => {
                let names: BTreeSet<&String> = targets.iter().map(|target| &target.namespace).collect();
                Some(names.into_iter().cloned().collect())
            }
        }
    }

    /// Whether the namespace was given explicitly, which permits a namespace of the cluster itself.
    pub fn names(&self, namespace: &str) -> bool {
        match self {
            Self::Label { namespaces, named, .. } => {
                *named && namespaces.iter().any(|name| name == namespace)
            }
            Self::List { .. } => true,
        }
    }
}

impl std::fmt::Display for Selection {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Label { selector, namespaces, .. } => {
                let what =
                    if selector.is_empty() { "all VMs".to_owned() } else { format!("VMs with {selector}") };
                match namespaces.as_slice() {
                    [] => write!(f, "{what} in all namespaces"),
                    [one] => write!(f, "{what} in namespace {one}"),
                    several => write!(f, "{what} in namespaces {}", several.join(", ")),
                }
            }
            Self::List { name, sha256, .. } => {
                write!(f, "VMs on list {name} (sha256 {})", sha256.get(..12).unwrap_or(sha256))
            }
        }
    }
}

/// Whether a namespace belongs to the cluster itself: stopping its VMs may stop the cluster.
pub fn is_system(namespace: &str) -> bool {
    SYSTEM.contains(&namespace) || SYSTEM_PREFIXES.iter().any(|prefix| namespace.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_with_comments_and_faults_name_the_line() {
        let list = Selection::parse("x", "# web\nshop/web-1\n\n shop / web-2 # slow\nbank/db\n").unwrap();
        assert_eq!(list.namespaces().unwrap(), ["bank", "shop"]);
        assert!(list.names("kube-system") && list.to_string().starts_with("VMs on list x (sha256 "));
        for (text, why) in [
            ("", "there is no VM on it"),
            ("shop/a\nweb-1\n", "line 2: it is not NAMESPACE/NAME"),
            ("shop/a\nshop/a\n", "line 2: this VM is on the list already"),
            ("shop/../x", "line 1: `shop/../x` cannot be the namespace and name of a VM"),
        ] {
            assert_eq!(Selection::parse("x", text).unwrap_err(), why);
        }
    }

    #[test]
    fn namespaces_of_the_cluster_have_to_be_named() {
        for name in ["kube-system", "openshift-cnv", "kubevirt", "cdi", "kubevirt-hyperconverged"] {
            assert!(is_system(name), "{name}");
        }
        assert!(!is_system("default") && !is_system("kubernetes") && !is_system("cdimages"));
        let label =
            |named| Selection::Label { selector: "a=b".into(), namespaces: vec!["cdi".into()], named };
        assert!(label(true).names("cdi") && !label(false).names("cdi"));
        assert_eq!(label(true).to_string(), "VMs with a=b in namespace cdi");
    }
}
