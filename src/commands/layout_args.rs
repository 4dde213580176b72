//! Flags that distribute VMs over namespaces.

use clap::Args;

use bootstorm_model::plan::Layout;

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
