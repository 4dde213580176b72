//! `version`, and the text of `--version`.

use clap::Args;
use serde::Serialize;

use super::presentation::Output;
use super::program;
use super::session::Context;
use super::show;
use bootstorm_engine::cluster::facts::KubeVirtState;
use bootstorm_model::exit::Exit;
use bootstorm_model::failure::Failure;
use bootstorm_model::text::printable;

/// Show the versions of this program and of the cluster
///
/// An unreachable cluster is reported on stderr and is not an error.
#[derive(Debug, Clone, Args)]
#[command(after_long_help = "\
Examples:
  # This program, Kubernetes, KubeVirt, and CDI
  kubectl bootstorm version

  # This program alone, for a script
  kubectl bootstorm version --client -o json")]
pub struct VersionArgs {
    /// Show the version of this program only, without contacting the cluster
    #[arg(long)]
    pub client: bool,
}

/// Versions, for display
#[derive(Debug, Serialize)]
struct Versions {
    client: Client,
    /// Absent if not requested, or unreachable.
    #[serde(skip_serializing_if = "Option::is_none")]
    server: Option<Server>,
}

/// This program
#[derive(Debug, Serialize)]
struct Client {
    version: &'static str,
    /// Absent in builds without a repository.
    #[serde(skip_serializing_if = "Option::is_none")]
    commit: Option<&'static str>,
    target: &'static str,
}

/// The cluster; `null` for a component that is missing or may not be read
#[derive(Debug, Serialize)]
struct Server {
    kubernetes: String,
    kubevirt: Option<String>,
    cdi: Option<String>,
}

/// Runs the command.
pub async fn command(context: &Context, args: &VersionArgs) -> Result<Exit, Failure> {
    let console = context.console();
    let server = if args.client { None } else { Some(server(context).await) };
    if let Some(Err(failure)) = &server {
        console.warn(&format!("the cluster's versions are unknown: {}", printable(&failure.to_string())));
    }
    let client = Client {
        version: env!("CARGO_PKG_VERSION"),
        commit: Some(env!("BOOTSTORM_COMMIT")).filter(|commit| !commit.is_empty()),
        target: env!("BOOTSTORM_TARGET"),
    };
    let versions = Versions { client, server: server.and_then(Result::ok) };
    let output = context.presentation.output;
    let text = || match output {
        Output::Name => format!("{}\n", versions.client.version),
        _ => versions.lines(),
    };
    console.data(&show::value(output, "versions", &versions, text)?)?;
    Ok(Exit::Good)
}

async fn server(context: &Context) -> Result<Server, Failure> {
    let cluster = context.connect().await?.cluster;
    let kubernetes = cluster.version().await?;
    // Forbidden counts as unknown, like missing.
    let kubevirt = match cluster.kubevirt().await {
        Ok(KubeVirtState::Deployed { version, .. }) => version,
        _ => None,
    };
    Ok(Server { kubernetes, kubevirt, cdi: cluster.cdi_version().await.unwrap_or(None) })
}

impl Versions {
    fn lines(&self) -> String {
        let mut lines = format!("kubectl-bootstorm  {}\n", program::long());
        if let Some(server) = &self.server {
            let kubevirt = server.kubevirt.as_deref().unwrap_or("not found");
            let cdi = server.cdi.as_deref().unwrap_or("not found");
            for (name, version) in [("Kubernetes", &*server.kubernetes), ("KubeVirt", kubevirt), ("CDI", cdi)]
            {
                lines.push_str(&format!("{name:<17}  {}\n", printable(version)));
            }
        }
        lines
    }
}
