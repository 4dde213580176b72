//! Flags that distribute VMs over namespaces.

use clap::Args;

use bootstorm_engine::cluster::names::{self, Role};
use bootstorm_model::plan::Layout;
use bootstorm_model::plan::prefix::dns_label_fault;

/// Flags that distribute VMs over namespaces
#[derive(Debug, Clone, Default, Args)]
#[group(id = "namespace-layout", multiple = true)]
pub struct LayoutArgs {
    /// VMs per namespace; with more than one, VMs are named NAME-1, NAME-2 and so on
    #[arg(long, value_name = "K", default_value = "1", value_parser = clap::value_parser!(u32).range(1..))]
    pub vms_per_namespace: u32,
    /// Existing namespace for all VMs; the run neither creates nor deletes it
    #[arg(long, value_name = "NAME", conflicts_with_all = ["vms_per_namespace", "namespace_batch_size"])]
    pub vm_namespace: Option<String>,
    /// Minimum number of digits of indexes in names: with 3, 001, 002 and so on
    #[arg(long, value_name = "N", default_value = "1", value_parser = clap::value_parser!(u32).range(1..=9))]
    pub index_width: u32,
    /// Namespace from which Secrets, ConfigMaps and networks that the manifest names are copied to each VM's namespace
    #[arg(long, value_name = "NAMESPACE", conflicts_with = "vm_namespace", requires = "filename")]
    pub copy_from: Option<String>,
    /// Label of the namespaces that the run creates (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = label, conflicts_with = "vm_namespace")]
    pub namespace_label: Vec<(String, String)>,
    /// Annotation of the namespaces that the run creates (can be repeated)
    #[arg(long, value_name = "KEY=VALUE", value_parser = annotation, conflicts_with = "vm_namespace")]
    pub namespace_annotation: Vec<(String, String)>,
}

impl LayoutArgs {
    /// The layout.
    pub fn resolve(&self) -> Layout {
        Layout {
            vms_per_namespace: self.vms_per_namespace.max(1),
            namespace: self.vm_namespace.clone(),
            index_width: self.index_width.max(1),
        }
    }
}

fn label(text: &str) -> Result<(String, String), String> {
    let (key, value) = pair(text)?;
    if names::labels("", "", Role::Target).contains_key(&key) {
        return Err(format!("the run itself sets {key}"));
    }
    let ends = |c: char| c.is_ascii_alphanumeric();
    let is_value = value.is_empty()
        || value.len() <= 63 && is_word(&value) && value.starts_with(ends) && value.ends_with(ends);
    if is_value {
        Ok((key, value))
    } else {
        Err("the value of a label has at most 63 letters, digits, -, _ and .".into())
    }
}

fn annotation(text: &str) -> Result<(String, String), String> {
    pair(text)
}

/// Reads `KEY=VALUE`, with a valid Kubernetes key.
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write it as KEY=VALUE")?;
    let (domain, name) = key.split_once('/').map_or((None, key), |(domain, name)| (Some(domain), name));
    let ends = |c: char| c.is_ascii_alphanumeric();
    let is_name =
        (1..=63).contains(&name.len()) && is_word(name) && name.starts_with(ends) && name.ends_with(ends);
    let is_domain =
        |domain: &str| domain.len() <= 253 && domain.split('.').all(|part| dns_label_fault(part).is_none());
    if !is_name || !domain.is_none_or(is_domain) {
        return Err("a key is NAME or DOMAIN/NAME, such as team or example.org/team".into());
    }
    if domain == Some(names::DOMAIN) {
        return Err(format!("keys of {} are reserved for the run", names::DOMAIN));
    }
    Ok((key.to_owned(), value.to_owned()))
}

fn is_word(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_and_annotations_are_as_kubernetes_has_them() {
        assert_eq!(label("example.org/team=a-1"), Ok(("example.org/team".into(), "a-1".into())));
        assert_eq!(label("empty="), Ok(("empty".into(), String::new())));
        assert_eq!(annotation("note=a = b"), Ok(("note".into(), "a = b".into())));
        for odd in
            ["team", "=x", "a b=c", "a/b/c=d", "team=a b", "bootstorm.dev/run=x", "app.kubernetes.io/name=x"]
        {
            assert!(label(odd).is_err(), "{odd}");
        }
    }
}
