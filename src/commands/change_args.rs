//! Flags that change the VMs' manifest, the built-in one or one from a file.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::mistakes;
use super::source_args::{SourceArgs, name_of, read};
use super::values;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::layout::base_name;
use bootstorm_model::plan::openshift::{Params, parse_param};
use bootstorm_model::plan::overrides::{Login, Overrides, ssh_keys};
use bootstorm_model::plan::placeholders::{self, Values};
use bootstorm_model::plan::secrets::hide;
use bootstorm_model::plan::sizing::Quantity;
use bootstorm_model::plan::{Template, TemplateFault, TemplateSource};

/// Flags that change the manifest of the VMs
#[derive(Debug, Clone, Default, Args)]
pub struct ChangeArgs {
    /// Storage class of the VMs' disks
    #[arg(long, value_name = "NAME")]
    pub storage_class: Option<String>,
    /// Size of the boot disk; default is 30Gi, or the manifest's
    #[arg(long, value_name = "SIZE", value_parser = quantity)]
    pub disk_size: Option<String>,
    /// Access mode of the VMs' disks; default is CDI's for the storage class
    #[arg(long, value_name = "MODE", value_enum)]
    pub access_mode: Option<AccessMode>,
    /// Volume mode of the VMs' disks; default is CDI's for the storage class
    #[arg(long, value_name = "MODE", value_enum)]
    pub volume_mode: Option<VolumeMode>,
    /// Virtual CPUs of each VM
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024), conflicts_with = "instancetype")]
    pub cpu: Option<u32>,
    /// Memory of each VM
    #[arg(long, value_name = "SIZE", value_parser = quantity, conflicts_with = "instancetype")]
    pub memory: Option<String>,
    /// Cluster-wide instance type; sets CPU and memory
    #[arg(long, value_name = "NAME")]
    pub instancetype: Option<String>,
    /// Cluster-wide preference
    #[arg(long, value_name = "NAME")]
    pub preference: Option<String>,
    /// File with public SSH keys that cloud-init authorizes in the guests
    #[arg(long, value_name = "FILE")]
    pub ssh_key: Option<PathBuf>,
    /// File with user data for cloud-init
    #[arg(long, value_name = "FILE")]
    pub user_data: Option<PathBuf>,
    /// Multus network for an additional interface (can be repeated); default namespace is default
    #[arg(long, value_name = "NAMESPACE/NAME", value_parser = network)]
    pub network: Vec<String>,
    /// Time limit for a guest to shut down
    #[arg(long, value_name = "DURATION", value_parser = values::duration)]
    pub termination_grace_period: Option<Duration>,
    /// Value of a placeholder in the manifest, such as `VM_MEMORY=4Gi` (can be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = placeholders::parse, requires = "filename")]
    pub set: Vec<(String, String)>,
    /// Value of a parameter of an OpenShift Template, such as `CPU_CORES=2` (can be repeated)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_param, requires = "filename")]
    pub param: Vec<(String, String)>,
}

/// How many nodes may use a disk
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum AccessMode {
    /// Pods of one node
    #[value(alias = "RWO")]
    ReadWriteOnce,
    /// Pods of all nodes, as live migration requires
    #[value(alias = "RWX")]
    ReadWriteMany,
    /// One pod
    #[value(alias = "RWOP")]
    ReadWriteOncePod,
}

/// How a pod sees a disk
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "PascalCase")]
pub enum VolumeMode {
    /// A device
    #[value(alias = "block")]
    Block,
    /// A folder with a file in it
    #[value(alias = "filesystem")]
    Filesystem,
}

/// A manifest, and its description in the plan
#[derive(Debug)]
pub(super) struct Made {
    pub(super) source: TemplateSource,
    pub(super) overrides: Overrides,
    pub(super) sealed: Option<String>,
    pub(super) template: Template,
    pub(super) text: Option<String>,
}

impl ChangeArgs {
    /// Builds the manifest of the VMs.
    pub(super) fn make(
        &self,
        source: &SourceArgs,
        default: &TemplateSource,
        vm_name: &str,
    ) -> Result<Made, Failure> {
        let (overrides, login) = (self.overrides(), self.login()?);
        let changes = |template: &mut Template, overrides: &Overrides| {
            overrides.apply(template).and_then(|()| login.apply(template)).map_err(Failure::usage)
        };
        let Some(path) = &source.filename else {
            let named = source.named(default)?;
            let unusable = || Failure::usage(format!("no VM can be created from {}", named.shown));
            let mut template = named.shown.built_in(named.template_url.as_deref()).ok_or_else(unusable)?;
            changes(&mut template, &overrides)?;
            let secret = hide(template.manifest().clone()) != *template.manifest();
            let text = secret.then(|| template.manifest().to_string());
            let sealed = text.as_deref().map(Template::digest);
            return Ok(Made { source: named.shown, overrides, sealed, template, text });
        };
        let unusable = || Failure::new(format!("{} is not a usable VM manifest", path.display()));
        let given = read(path, "the VM manifest")?;
        let (filled, used) =
            placeholders::fill(&given, &self.values(vm_name)).map_err(|fault| unusable().because(fault))?;
        let params: Params = self.param.iter().cloned().collect();
        let mut template = Template::parse_with(&filled, &params).map_err(|fault| {
            let way = match &fault {
                TemplateFault::Foreign { tool, .. } => tool.way().to_owned(),
                TemplateFault::Twice(_) => "keep the one that the VM refers to".to_owned(),
                TemplateFault::Kind(what) if what.contains("Kustomization") => {
                    "build it first: kubectl kustomize DIR > vm.yaml, then -f vm.yaml".to_owned()
                }
                TemplateFault::Machines(_) => "export one of them: kubectl get vm NAME -o yaml".to_owned(),
                _ => mistakes::foreign_file(&given)
                    .unwrap_or(
                        "export one that works: kubectl get vm NAME -o yaml; or see examples/ in the repository",
                    )
                    .to_owned(),
            };
            unusable().because(fault).hint(way)
        })?;
        let is_rendered = template.is_rendered();
        let left = without(&overrides, &used);
        changes(&mut template, &left)?;
        let is_as_given = left.is_empty() && login.is_empty() && !is_rendered;
        let text = if is_as_given { filled } else { template.text() };
        let drawn_from = template.drawn_from();
        let source =
            TemplateSource::File { name: name_of(path), sha256: Template::digest(&text), drawn_from };
        Ok(Made { source, overrides, sealed: None, template, text: Some(text) })
    }

    fn overrides(&self) -> Overrides {
        let word =
            |value: Option<clap::builder::PossibleValue>| value.map(|value| value.get_name().to_owned());
        Overrides {
            storage_class: self.storage_class.clone(),
            disk_size: self.disk_size.clone(),
            access_mode: word(self.access_mode.as_ref().and_then(ValueEnum::to_possible_value)),
            volume_mode: word(self.volume_mode.as_ref().and_then(ValueEnum::to_possible_value)),
            cpu: self.cpu,
            memory: self.memory.clone(),
            instancetype: self.instancetype.clone(),
            preference: self.preference.clone(),
            networks: self.network.clone(),
            termination_grace_seconds: self.termination_grace_period.map(values::seconds_up),
            ssh_key: self.ssh_key.as_deref().map(name_of),
            user_data: self.user_data.as_deref().map(name_of),
        }
    }

    fn login(&self) -> Result<Login, Failure> {
        let user_data = self.user_data.as_deref().map(|path| read(path, "the user data")).transpose()?;
        let keys = |path: &PathBuf| {
            ssh_keys(&read(path, "the ssh key")?).map_err(|fault| {
                Failure::usage(format!("--ssh-key {} cannot be used", path.display())).because(fault)
            })
        };
        Ok(Login { ssh_keys: self.ssh_key.as_ref().map(keys).transpose()?.unwrap_or_default(), user_data })
    }

    fn values(&self, vm_name: &str) -> Values {
        let implied = [
            ("VM_NAME", Some(base_name(vm_name))),
            ("STORAGE_CLASS_NAME", self.storage_class.clone()),
            ("STORAGE_SIZE", self.disk_size.clone()),
            ("VM_MEMORY", self.memory.clone()),
            ("VM_CPU_CORES", self.cpu.map(|cpu| cpu.to_string())),
        ];
        let implied = implied.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?)));
        Values { implied: implied.collect(), given: self.set.iter().cloned().collect() }
    }
}

/// The overrides that no placeholder has already applied.
fn without(overrides: &Overrides, used: &std::collections::BTreeSet<String>) -> Overrides {
    let mut left = overrides.clone();
    let has = |name: &str| used.contains(name);
    left.storage_class = left.storage_class.filter(|_| !has("STORAGE_CLASS_NAME"));
    left.disk_size = left.disk_size.filter(|_| !has("STORAGE_SIZE"));
    left.memory = left.memory.filter(|_| !has("VM_MEMORY"));
    left.cpu = left.cpu.filter(|_| !has("VM_CPU_CORES"));
    left
}

/// A Kubernetes quantity greater than zero.
fn quantity(text: &str) -> Result<String, String> {
    match Quantity::parse(text) {
        Some(size) if !size.is_zero() => Ok(text.to_owned()),
        _ => Err("write it like 30Gi or 2048M".into()),
    }
}

fn network(text: &str) -> Result<String, String> {
    let whole = if text.contains('/') { text.to_owned() } else { format!("default/{text}") };
    let named = |part: &str| bootstorm_model::plan::prefix::dns_label_fault(part).is_none();
    match whole.split_once('/') {
        Some((namespace, name)) if named(namespace) && name.split('.').all(named) => Ok(whole),
        _ => Err("write it as NAMESPACE/NAME".into()),
    }
}
