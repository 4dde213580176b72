//! Flags that select existing VMs to adopt.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use bootstorm_model::failure::Failure;
use bootstorm_model::plan::Selection;
use bootstorm_model::plan::prefix::dns_label_fault;
use bootstorm_model::plan::selection::MOST_LIST_BYTES;

/// Flags that select existing VMs to adopt
#[derive(Debug, Clone, Default, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct AdoptArgs {
    /// Run the storm on existing VMs instead of creating VMs
    ///
    /// stop stops the VMs, storm starts them, and cleanup restores their run strategy and power state. They are
    /// never created, labelled or deleted; before stop, they only get an annotation that names the run.
    #[arg(
        long,
        conflicts_with_all = ["start", "end", "vm_name", "namespace-layout", "node-pinning", "container_disk", "filename", "namespace_batch_size"]
    )]
    pub adopt: bool,
    /// Adopt VMs with these labels, for example tier=web
    #[arg(short = 'l', long, value_name = "LABELS", requires = "adopt")]
    pub selector: Option<String>,
    /// Adopt VMs in this namespace (can be repeated); default is the namespace of the record
    #[arg(long, value_name = "NAME", requires = "adopt", conflicts_with = "all_namespaces")]
    pub adopt_namespace: Vec<String>,
    /// Adopt VMs in all namespaces except the cluster's own
    #[arg(short = 'A', long, requires = "adopt")]
    pub all_namespaces: bool,
    /// Adopt the VMs listed in a file, one NAMESPACE/NAME per line; - reads standard input
    #[arg(
        long,
        value_name = "LIST",
        conflicts_with_all = ["selector", "adopt_namespace", "all_namespaces", "start", "end", "vm_name", "namespace-layout", "node-pinning", "container_disk", "filename", "namespace_batch_size"]
    )]
    pub adopt_file: Option<PathBuf>,
    /// Adopt VMs that are off, too; the storm starts them, cleanup stops them again
    #[arg(long)]
    pub include_halted: bool,
    /// Adopt without confirmation
    #[arg(short, long)]
    pub yes: bool,
}

impl AdoptArgs {
    /// Whether VMs are to be adopted.
    pub fn is_wanted(&self) -> bool {
        self.adopt || self.adopt_file.is_some()
    }

    /// The selected VMs; `here` is the namespace of the record. Reads the list, sends nothing.
    pub fn selection(&self, here: &str) -> Result<Selection, Failure> {
        if let Some(path) = &self.adopt_file {
            let name =
                path.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy().into_owned());
            return Selection::parse(&name, &read(path)?).map_err(|why| {
                Failure::new(format!("{} is not a valid list of VMs", path.display()))
                    .because(why)
                    .hint("write one NAMESPACE/NAME per line; # begins a comment")
            });
        }
        let mut namespaces = self.adopt_namespace.clone();
        let named = !namespaces.is_empty();
        if !named && !self.all_namespaces {
            namespaces.push(here.to_owned());
        }
        namespaces.sort_unstable();
        namespaces.dedup();
        for name in &namespaces {
            if let Some(fault) = dns_label_fault(name) {
                let shown = name.escape_debug();
                return Err(Failure::usage(format!(
                    "--adopt-namespace `{shown}` is not a namespace: {fault}"
                )));
            }
        }
        let selector = self.selector.clone().unwrap_or_default();
        Ok(Selection::Label { selector: selector.trim().to_owned(), namespaces, named })
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let cannot = |why: &dyn std::fmt::Display| {
        Failure::new(format!("the list of VMs {} cannot be read", path.display())).because(why)
    };
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| cannot(&error))?)
    };
    let mut bytes = Vec::new();
    source.take(MOST_LIST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| cannot(&error))?;
    if bytes.len() > MOST_LIST_BYTES {
        return Err(cannot(&format!("it has more than {MOST_LIST_BYTES} bytes")));
    }
    String::from_utf8(bytes).map_err(|_| cannot(&"it is not UTF-8 text"))
}
