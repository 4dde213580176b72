//! Flags for the source of the VMs' disks or of their whole manifest.

use std::io::Read;
use std::path::{Path, PathBuf};

use clap::Args;

use bootstorm_model::failure::Failure;
use bootstorm_model::plan::source::{self, NamedSource};
use bootstorm_model::plan::template::MOST_TEMPLATE_BYTES;
use bootstorm_model::plan::{TemplateFault, TemplateSource};

/// Flags that say where the VMs' disks come from
#[derive(Debug, Clone, Args)]
pub struct SourceArgs {
    /// Source of the VMs' disks; default is datasource:openshift-virtualization-os-images/rhel9
    ///
    /// datasource:NAMESPACE/NAME clones a golden image; pvc:NAMESPACE/NAME clones a claim; pvc:NAMESPACE/NAME-{1..10}
    /// clones the claims of a pool in turn; snapshot:NAMESPACE/NAME restores a snapshot; `registry:docker://IMAGE` and
    /// `http:URL` import a disk; containerdisk:IMAGE boots from a container image, without a disk; blank is an empty
    /// disk. The default of run --sandbox is a container disk.
    #[arg(long, value_name = "KIND:PLACE", conflicts_with = "filename")]
    pub source: Option<String>,
    /// Container disk image to boot from; same as --source containerdisk:IMAGE
    #[arg(long, value_name = "IMAGE", conflicts_with_all = ["filename", "source"])]
    pub container_disk: Option<String>,
    /// VirtualMachine manifest to use, YAML or JSON; - reads standard input
    #[arg(short, long, value_name = "FILE")]
    pub filename: Option<PathBuf>,
}

impl SourceArgs {
    /// The source of the built-in manifest.
    pub(super) fn named(&self, default: &TemplateSource) -> Result<NamedSource, Failure> {
        let (flag, text) = match (&self.source, &self.container_disk) {
            (Some(text), _) => ("--source", text.clone()),
            (None, Some(image)) => ("--container-disk", format!("containerdisk:{image}")),
            (None, None) => {
                return Ok(NamedSource { shown: default.clone(), template_url: None });
            }
        };
        source::parse(&text).map_err(|fault| {
            // A URL may hold a password.
            let shown = bootstorm_model::plan::secrets::hide_url(&text);
            Failure::usage(format!("{flag} {shown} is not understood")).because(fault)
        })
    }
}

/// Reads a file for a Secret; `what` names it in messages.
///
/// Fails if it cannot be read, is too large or not text. Its content is never quoted.
pub(super) fn read(path: &Path, what: &str) -> Result<String, Failure> {
    let cannot = || Failure::new(format!("{what} {} cannot be read", path.display()));
    let source: Box<dyn Read> = if path.as_os_str() == "-" {
        Box::new(std::io::stdin())
    } else {
        Box::new(std::fs::File::open(path).map_err(|error| cannot().because(error))?)
    };
    let mut bytes = Vec::new();
    // One byte beyond the limit shows that it is too large; the rest, which may be endless, is not read.
    source
        .take(MOST_TEMPLATE_BYTES as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| cannot().because(error))?;
    if bytes.len() > MOST_TEMPLATE_BYTES {
        let unusable = match what {
            "the VM manifest" => Failure::new(format!("{} is not a usable VM manifest", path.display())),
            _ => cannot(),
        };
        return Err(unusable.because(TemplateFault::TooLarge));
    }
    String::from_utf8(bytes).map_err(|_| cannot().because("it is not UTF-8 text"))
}

/// The last component of a path, for messages.
pub(super) fn name_of(path: &Path) -> String {
    path.file_name().map_or_else(|| "-".into(), |name| name.to_string_lossy().into_owned())
}
