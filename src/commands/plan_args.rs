//! Flags that describe the plan, and flags that name its run.

use clap::Args;

use bootstorm_engine::runs::setup::Resolved;
use bootstorm_model::failure::Failure;
use bootstorm_model::plan::layout::INDEX;
use bootstorm_model::plan::references::{self, Reference};
use bootstorm_model::plan::{Extra, Plan, Template, TemplateSource, identity};
use bootstorm_model::probe::ProbePlan;
use bootstorm_model::probe::kind::{Toleration, parse_probes};

use super::change_args::ChangeArgs;
use super::layout_args::LayoutArgs;
use super::node_args::NodeArgs;
use super::source_args::SourceArgs;
use super::values;

/// Default name of the VMs.
const VM_NAME: &str = "boot-storm-vm";

/// The flag that names a run
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// Name of the run, and prefix of its namespaces
    #[arg(
        long = "ns-prefix",
        alias = "namespace-prefix",
        value_name = "PREFIX",
        default_value = "boot-storm-test"
    )]
    pub prefix: String,
}

/// Image of prober pods: small, well known, and with everything that the probe needs.
const PROBE_IMAGE: &str = "docker.io/library/busybox:1.37.0";
/// Help of `--probe`; no doc comment, since brackets are links there.
const PROBES: &str = "Probes for reachability: ping, tcp:PORT, http:PORT[/PATH], ssh[:PORT], agent, cloud-init, several of \
                      them (the first one decides), or none";
/// VMs per prober pod, unless the user sets the number of pods.
const VMS_PER_PROBER: u32 = 250;

/// Flags for the probes of guests
#[derive(Debug, Clone, Args)]
pub struct ProbeArgs {
    /// The probes for reachability, as a list; the first one decides.
    #[arg(long, value_name = "LIST", default_value = "ping", help = PROBES)]
    pub probe: String,
    /// Image of the prober pods; needs sh, and ping or nc
    #[arg(long, value_name = "IMAGE", default_value = PROBE_IMAGE)]
    pub probe_image: String,
    /// Number of prober pods; default is one per 250 VMs
    #[arg(long, value_name = "N", value_parser = values::count)]
    pub probers: Option<usize>,
    /// Taint tolerated by the prober pods, as KEY, KEY=VALUE or KEY=VALUE:EFFECT (can be repeated)
    #[arg(long, value_name = "TAINT")]
    pub probe_toleration: Vec<Toleration>,
    /// Existing pod to probe from, instead of prober pods of the run
    #[arg(long, value_name = "NAMESPACE/NAME", conflicts_with = "probers")]
    pub probe_pod: Option<String>,
}

impl ProbeArgs {
    /// Reads the probes; `vms` is the number of VMs to probe.
    pub fn resolve(&self, vms: u32) -> Result<ProbePlan, Failure> {
        let probes = parse_probes(&self.probe).map_err(|fault| {
            Failure::usage(format!("--probe {} is not understood", self.probe)).because(fault)
        })?;
        let pod = match self.probe_pod.as_deref().map(|text| text.split_once('/')) {
            None => None,
            Some(Some((namespace, name))) if !namespace.is_empty() && !name.is_empty() => {
                Some((namespace.to_owned(), name.to_owned()))
            }
            Some(_) => return Err(Failure::usage("--probe-pod takes NAMESPACE/NAME")),
        };
        let needed = probes.iter().any(|probe| probe.needs_prober());
        let probers = self.probers.unwrap_or(vms.div_ceil(VMS_PER_PROBER) as usize);
        Ok(ProbePlan {
            image: if needed && pod.is_none() { self.probe_image.clone() } else { String::new() },
            probers: if needed && pod.is_none() { probers } else { 0 },
            tolerations: self.probe_toleration.clone(),
            pod: pod.filter(|_| needed),
            probes,
        })
    }
}

/// Flags that describe which VMs a run has
#[derive(Debug, Clone, Args)]
pub struct PlanArgs {
    /// Index of the first VM
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub start: u32,
    /// Index of the last VM, inclusive
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub end: u32,
    /// Name of the VM in each namespace; {i} is replaced by the index
    #[arg(long, value_name = "NAME", default_value = VM_NAME)]
    pub vm_name: String,
    #[command(flatten)]
    pub layout: LayoutArgs,
    #[command(flatten)]
    pub nodes: NodeArgs,
    #[command(flatten)]
    pub source: SourceArgs,
    #[command(flatten)]
    pub changes: ChangeArgs,
    #[command(flatten)]
    pub probe: ProbeArgs,
}

/// Plan flags on a later command; they must match the plan of setup
#[derive(Debug, Clone, Default, Args)]
pub struct AssertedArgs {
    /// Index of the first VM; must match the setup
    #[arg(long, value_name = "N")]
    pub start: Option<u32>,
    /// Index of the last VM; must match the setup
    #[arg(long, value_name = "N")]
    pub end: Option<u32>,
    /// Name of the VMs; must match the setup
    #[arg(long, value_name = "NAME")]
    pub vm_name: Option<String>,
}

impl PlanArgs {
    /// Reads the manifest and validates everything; sends nothing.
    pub fn resolve(&self, run: &RunArgs) -> Result<Resolved, Failure> {
        self.resolve_with(run, &TemplateSource::golden())
    }

    /// Like [`Self::resolve`], for a private simulated cluster: for a quick trial its VMs boot without a clone.
    pub fn resolve_in_sandbox(&self, run: &RunArgs) -> Result<Resolved, Failure> {
        let image = bootstorm_model::plan::source::CONTAINER_DISK.to_owned();
        self.resolve_with(run, &TemplateSource::ContainerDisk { image })
    }

    /// Small objects created beside each VM: those of the file, and copies.
    fn extras(&self, template: &Template) -> Vec<Extra> {
        let mut extras: Vec<Extra> = template.companions().iter().filter_map(Extra::of).collect();
        if self.layout.copy_from.is_some() {
            let named = references::of(template.manifest());
            // A name with a placeholder stands for many different objects.
            let copied =
                named.iter().filter_map(Reference::extra).filter(|extra| !extra.name.contains(INDEX));
            extras.extend(copied);
        }
        extras.sort();
        extras.dedup();
        extras
    }

    fn resolve_with(&self, run: &RunArgs, default: &TemplateSource) -> Result<Resolved, Failure> {
        let made = self.changes.make(&self.source, default, &self.vm_name)?;
        let mut plan = Plan::resolve(&run.prefix, self.start, self.end, &self.vm_name, made.source).map_err(
            |fault| {
                let is_about_indexes = ["--start", "--end"].iter().any(|flag| fault.contains(flag));
                let failure = Failure::usage(fault);
                if is_about_indexes {
                    failure.hint("VMs are numbered from --start to --end")
                } else {
                    failure.hint("for example: --ns-prefix boot-storm-test --vm-name vm")
                }
            },
        )?;
        plan.layout = self.layout.resolve();
        self.nodes.check().map_err(Failure::usage)?;
        plan.pinning = self.nodes.resolve();
        plan.check().map_err(Failure::usage)?;
        plan.probe = self.probe.resolve(plan.size())?;
        plan.extras = self.extras(&made.template);
        plan.copy_from.clone_from(&self.layout.copy_from);
        plan.namespace_labels = self.layout.namespace_label.iter().cloned().collect();
        plan.namespace_annotations = self.layout.namespace_annotation.iter().cloned().collect();
        plan.check().map_err(Failure::usage)?;
        identity::check(made.template.manifest(), plan.index(plan.end))
            .map_err(|fault| Failure::usage(format!("the manifest cannot be filled for all VMs: {fault}")))?;
        plan.overrides = made.overrides;
        plan.sealed = made.sealed;
        Ok(Resolved { plan, template: made.template, text: made.text })
    }
}

impl AssertedArgs {
    /// Fails if a flag contradicts the plan frozen by setup.
    pub fn check(&self, plan: &Plan) -> Result<(), Failure> {
        let asserted = [
            ("--start", self.start.map(|n| n.to_string()), plan.start.to_string()),
            ("--end", self.end.map(|n| n.to_string()), plan.end.to_string()),
            ("--vm-name", self.vm_name.clone(), plan.vm_name.clone()),
        ];
        for (flag, given, frozen) in asserted {
            if let Some(given) = given.filter(|given| *given != frozen) {
                return Err(Failure::usage(format!(
                    "{flag} {given} contradicts the setup of run \"{}\", which has {flag} {frozen}",
                    plan.prefix
                ))
                .hint(format!("leave out {flag}, or set up another run with another --ns-prefix")));
            }
        }
        Ok(())
    }
}
