//! kubectl's connection flags.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;

use super::values;
use bootstorm_engine::cluster::Connection;

/// Default time limit of one request.
const REQUEST_TIMEOUT: &str = "30s";

/// Flags that choose and reach the cluster, as in kubectl
#[derive(Debug, Clone, Args)]
pub struct ConnectionArgs {
    /// Kubeconfig file to use
    #[arg(long, global = true, value_name = "FILE")]
    pub kubeconfig: Option<PathBuf>,
    /// Context of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME")]
    pub context: Option<String>,
    /// Cluster of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME")]
    pub cluster: Option<String>,
    /// User of the kubeconfig to use
    #[arg(long, global = true, value_name = "NAME")]
    pub user: Option<String>,
    /// Namespace of the run's record; default is the context's
    #[arg(short, long, global = true, value_name = "NAME")]
    pub namespace: Option<String>,
    /// Address of the API server
    #[arg(short, long, global = true, value_name = "URL")]
    pub server: Option<String>,
    /// File with the certificate authority of the API server
    #[arg(long, global = true, value_name = "FILE")]
    pub certificate_authority: Option<PathBuf>,
    /// Name to expect in the certificate of the API server
    #[arg(long, global = true, value_name = "NAME")]
    pub tls_server_name: Option<String>,
    /// Do not verify the certificate of the API server; insecure
    #[arg(long, global = true)]
    pub insecure_skip_tls_verify: bool,
    /// User to impersonate
    #[arg(long = "as", global = true, value_name = "USER")]
    pub impersonate: Option<String>,
    /// Group to impersonate (can be repeated)
    #[arg(long = "as-group", global = true, value_name = "GROUP")]
    pub impersonate_group: Vec<String>,
    /// Time limit for a single request and for a credential plugin, for example 30s; 0 means none for requests, 1m for
    /// plugins
    #[arg(long, global = true, value_name = "DURATION", default_value = REQUEST_TIMEOUT,
        value_parser = values::duration)]
    pub request_timeout: Duration,
    /// Time limit for retrying a request that fails temporarily
    #[arg(long, global = true, value_name = "DURATION", default_value = "2m",
        value_parser = values::duration)]
    pub retry_timeout: Duration,
}

impl From<&ConnectionArgs> for Connection {
    fn from(args: &ConnectionArgs) -> Self {
        Self {
            kubeconfig: args.kubeconfig.clone(),
            context: args.context.clone(),
            cluster: args.cluster.clone(),
            user: args.user.clone(),
            namespace: args.namespace.clone(),
            server: args.server.clone(),
            certificate_authority: args.certificate_authority.clone(),
            tls_server_name: args.tls_server_name.clone(),
            insecure: args.insecure_skip_tls_verify,
            impersonate: args.impersonate.clone(),
            impersonate_groups: args.impersonate_group.clone(),
            request_timeout: Some(args.request_timeout).filter(|limit| !limit.is_zero()),
            patience: args.retry_timeout,
            ..Self::default()
        }
    }
}
