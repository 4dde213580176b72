//! From kubectl's connection flags and a kubeconfig to a client.

use std::path::PathBuf;
use std::sync::atomic::Ordering;
use std::time::Duration;

use http::header::USER_AGENT;
use http::{HeaderValue, Uri};
use jiff::Timestamp;
use kube::Client;
use kube::config::{
    Config, Context, KubeConfigOptions, Kubeconfig, KubeconfigError, NamedCluster, NamedContext,
};
use secrecy::{ExposeSecret, SecretString};

use super::kubeconfig::{self, KubeconfigFault};
use super::transport::Transport;
use super::{Cluster, names, plugin, proxy};
use bootstorm_model::failure::Failure;
use bootstorm_model::observe::clock::{elapsed_since, monotonic_now};
use bootstorm_model::plan::yaml_fault;

/// Pause after a renewal that brought no credentials, because a plugin or a file failed.
const FAILED_FOR: Duration = Duration::from_secs(5);
/// Minimum interval between renewals of credentials that have worked.
const RENEWED_AT_MOST_EVERY: Duration = Duration::from_secs(1);
/// Pause before retrying with newer credentials after the server has refused new ones.
const REFUSED_FOR: Duration = Duration::from_secs(30);

/// kubectl's connection flags, as far as given
#[derive(Debug, Clone)]
pub struct Connection {
    /// `--kubeconfig`
    pub kubeconfig: Option<PathBuf>,
    /// `--context`
    pub context: Option<String>,
    /// `--cluster`
    pub cluster: Option<String>,
    /// `--user`
    pub user: Option<String>,
    /// `--namespace`
    pub namespace: Option<String>,
    /// `--server`
    pub server: Option<String>,
    /// `--certificate-authority`
    pub certificate_authority: Option<PathBuf>,
    /// `--tls-server-name`
    pub tls_server_name: Option<String>,
    /// `--insecure-skip-tls-verify`
    pub insecure: bool,
    /// `--as`
    pub impersonate: Option<String>,
    /// `--as-group`
    pub impersonate_groups: Vec<String>,
    /// `--request-timeout`; `None` means no limit.
    pub request_timeout: Option<Duration>,
    /// `--retry-timeout`: time limit for retries of a request that fails for a transient reason.
    pub patience: Duration,
    /// Receives a message when a credential plugin keeps the user waiting.
    pub tell: fn(&str),
}

/// Default time limit for retries of a request that fails for a transient reason.
pub const PATIENCE: Duration = Duration::from_secs(120);

impl Default for Connection {
    fn default() -> Self {
        Self {
            kubeconfig: None,
            context: None,
            cluster: None,
            user: None,
            namespace: None,
            server: None,
            certificate_authority: None,
            tls_server_name: None,
            insecure: false,
            impersonate: None,
            impersonate_groups: Vec::new(),
            request_timeout: None,
            patience: PATIENCE,
            tell: |_| {},
        }
    }
}

/// Names in a kubeconfig
#[derive(Debug, Clone, Default)]
pub struct KubeconfigNames {
    /// Contexts.
    pub contexts: Vec<String>,
    /// Clusters.
    pub clusters: Vec<String>,
    /// Users.
    pub users: Vec<String>,
}

impl Connection {
    /// The names in the kubeconfig; `None` if there is no readable one.
    pub fn kubeconfig_names(&self) -> Option<KubeconfigNames> {
        let kubeconfig = kubeconfig::load(self.kubeconfig.as_deref()).ok()?;
        Some(KubeconfigNames {
            contexts: kubeconfig.contexts.into_iter().map(|context| context.name).collect(),
            clusters: kubeconfig.clusters.into_iter().map(|cluster| cluster.name).collect(),
            users: kubeconfig.auth_infos.into_iter().map(|user| user.name).collect(),
        })
    }

    /// The contexts of the kubeconfig, in its order.
    ///
    /// Fails if there is no readable kubeconfig.
    pub fn contexts(&self) -> Result<Vec<String>, Failure> {
        let kubeconfig =
            kubeconfig::load(self.kubeconfig.as_deref()).map_err(|fault| no_kubeconfig(&fault))?;
        Ok(kubeconfig.contexts.into_iter().map(|context| context.name).collect())
    }

    /// Creates a client. Sends nothing yet.
    ///
    /// Fails if there is no usable kubeconfig, or the context is unknown.
    pub async fn open(&self) -> Result<Cluster, Failure> {
        let Opened { transport, good_until, namespace, server, context } = Box::pin(self.transport()).await?;
        let mut cluster = Cluster::new(transport, namespace, server, self.clone());
        cluster.context = context.filter(|context| !context.is_empty());
        cluster.note_expiry(good_until);
        Ok(cluster)
    }

    /// A cluster with a given client, such as one for a server in the same process.
    pub fn over(&self, client: Client) -> Cluster {
        let namespace = self.namespace.clone().unwrap_or_else(|| client.default_namespace().to_owned());
        Cluster::new(Transport::single(client), namespace, "https://sandbox".to_owned(), self.clone())
    }

    /// Reads the kubeconfig and obtains credentials.
    async fn transport(&self) -> Result<Opened, Failure> {
        let (mut config, context) = self.config().await?;
        if let Some(server) = &self.server {
            let uses_tls = config.root_cert.is_some()
                || self.certificate_authority.is_some()
                || config.accept_invalid_certs
                || self.insecure;
            config.cluster_url = kubeconfig::with_scheme(server, uses_tls).parse().map_err(|error| {
                Failure::usage("--server is not a URL")
                    .because(error)
                    .hint("write it like https://10.0.0.1:6443")
            })?;
        }
        if let Some(path) = &self.certificate_authority {
            if !path.is_file() {
                let path = path.display();
                return Err(Failure::usage(format!("--certificate-authority {path} is not a file")));
            }
            if self.insecure {
                return Err(Failure::usage(
                    "--certificate-authority and --insecure-skip-tls-verify contradict each other",
                ));
            }
            (config.root_cert, config.root_cert_file) = (None, Some(path.clone()));
        }
        if self.tls_server_name.is_some() {
            config.tls_server_name.clone_from(&self.tls_server_name);
        }
        config.accept_invalid_certs |= self.insecure;
        if self.impersonate.is_some() {
            config.auth_info.impersonate.clone_from(&self.impersonate);
        }
        if !self.impersonate_groups.is_empty() {
            if config.auth_info.impersonate.is_none() {
                return Err(
                    Failure::usage("--as-group needs --as").hint("name the user to impersonate: --as USER")
                );
            }
            config.auth_info.impersonate_groups = Some(self.impersonate_groups.clone());
        }
        // We count attempts ourselves; a silent retry would be hidden in the measured times.
        config.default_retry = false;
        config.connect_timeout = Some(Duration::from_secs(15));
        // A watch may be silent for minutes; single requests have their own limits.
        config.read_timeout = None;
        config.write_timeout = None;
        if let Ok(agent) = HeaderValue::from_str(&names::user_agent()) {
            config.headers.push((USER_AGENT, agent));
        }
        let mut good_until = None;
        if plugin::is_used(&config.auth_info) {
            let running = plugin::Running { request_timeout: self.request_timeout, tell: self.tell };
            good_until = plugin::settle(&mut config.auth_info, running).await?;
        }
        check_token(&config)?;
        let namespace = self.namespace.clone().unwrap_or_else(|| config.default_namespace.clone());
        let server = without_user(&config.cluster_url);
        let transport = made(config, self.request_timeout).await?.map_err(|error| {
            let error = super::ClusterError::from_client("connect", &error);
            let hint = match error.kind {
                super::Kind::Certificate => super::certificate::hint(&error.message),
                _ => "check with: kubectl auth whoami",
            };
            Failure::new("the credentials of this context cannot be used").because(error.message).hint(hint)
        })?;
        Ok(Opened { transport, good_until, namespace, server, context })
    }

    /// Settings of a connection, and the context from which they come.
    async fn config(&self) -> Result<(Config, Option<String>), Failure> {
        let is_chosen = self.kubeconfig.is_some() || self.context.is_some();
        let (mut kubeconfig, fault) = match kubeconfig::load(self.kubeconfig.as_deref()) {
            Ok(kubeconfig) => (kubeconfig, None),
            Err(fault @ KubeconfigFault::Unusable { .. }) => return Err(no_kubeconfig(&fault)),
            Err(fault) if is_chosen => return Err(no_kubeconfig(&fault)),
            Err(fault) => (Kubeconfig::default(), Some(fault)),
        };
        if kubeconfig.current_context.is_none() && !is_chosen {
            if let Some(server) = &self.server {
                kubeconfig = only(server);
            } else if let (true, Ok(mut config)) = (kubeconfig.clusters.is_empty(), Config::incluster()) {
                // As in client-go: a pod's variables count, including NO_PROXY.
                config.proxy_url = self.proxy(None, &config.cluster_url)?;
                return Ok((config, None));
            } else if let Some(fault) = fault {
                return Err(no_kubeconfig(&fault));
            }
        }
        let proxy = self.settle(&mut kubeconfig)?;
        let context = self.context.clone().or_else(|| kubeconfig.current_context.clone());
        let contexts: Vec<String> = kubeconfig.contexts.iter().map(|context| context.name.clone()).collect();
        let options = KubeConfigOptions {
            context: self.context.clone(),
            cluster: self.cluster.clone(),
            user: self.user.clone(),
        };
        let mut config = Config::from_custom_kubeconfig(kubeconfig, &options)
            .await
            .map_err(|error| self.bad_context(&error, &contexts))?;
        config.proxy_url = self.proxy(proxy, &config.cluster_url)?;
        Ok((config, context))
    }

    /// Settles the user and the cluster to be used; returns the proxy that the cluster names.
    fn settle(&self, kubeconfig: &mut Kubeconfig) -> Result<Option<String>, Failure> {
        let unusable = |why: String| Failure::new("the kubeconfig cannot be used").because(why);
        let context_name = self.context.as_ref().or(kubeconfig.current_context.as_ref());
        let contexts = &kubeconfig.contexts;
        let context = contexts.iter().find(|context| Some(&context.name) == context_name);
        let context = context.and_then(|context| context.context.clone()).unwrap_or_default();
        let user_name = self.user.clone().or(context.user);
        let user = kubeconfig.auth_infos.iter_mut().find(|user| Some(&user.name) == user_name.as_ref());
        match (user, &self.user) {
            (Some(user), _) => {
                let info = user.auth_info.get_or_insert_default();
                kubeconfig::settle_user(&user.name, info).map_err(unusable)?;
            }
            (None, Some(name)) => return Err(unusable(format!("it has no user \"{name}\""))),
            // As for kubectl, no particular user.
            (None, None) => {}
        }
        let cluster_name = self.cluster.clone().unwrap_or(context.cluster);
        let cluster = kubeconfig.clusters.iter_mut().find(|cluster| cluster.name == cluster_name);
        match (cluster, &self.cluster) {
            (Some(cluster), _) => {
                let info = cluster.cluster.get_or_insert_default();
                kubeconfig::settle_cluster(&cluster.name, info, self.insecure).map_err(unusable)?;
                if info.server.is_none() {
                    info.server.clone_from(&self.server);
                }
                Ok(info.proxy_url.clone())
            }
            (None, Some(name)) => Err(unusable(format!("it has no cluster \"{name}\""))),
            (None, None) => Ok(None),
        }
    }

    /// Proxy for the server: the cluster's own, or the environment's.
    fn proxy(&self, own: Option<String>, server: &Uri) -> Result<Option<Uri>, Failure> {
        let flag = self.server.as_ref().and_then(|server| server.parse().ok());
        let server = flag.as_ref().unwrap_or(server);
        let proxy = own.or_else(|| proxy::of_environment(server, |name| std::env::var(name).ok()));
        let parsed = proxy.map(|proxy| proxy.parse::<Uri>()).transpose();
        // It may hold a password.
        parsed.map_err(|_| Failure::new("the address of the proxy is not a URL"))
    }

    fn bad_context(&self, error: &KubeconfigError, contexts: &[String]) -> Failure {
        let listed = if contexts.is_empty() { "none".to_owned() } else { contexts.join(", ") };
        let failure = match (error, &self.context) {
            (KubeconfigError::LoadContext(_), Some(context)) => {
                Failure::new(format!("the kubeconfig has no context \"{context}\""))
            }
            (KubeconfigError::CurrentContextNotSet | KubeconfigError::LoadContext(_), _) => {
                Failure::new("the kubeconfig has no usable current context")
            }
            _ => Failure::new("the kubeconfig cannot be used").because(told(error)),
        };
        failure.hint(format!("contexts in it: {listed}")).hint("choose one with --context NAME")
    }
}

/// Creates the clients. A legacy auth provider runs a program for that, which also has a time limit.
async fn made(
    config: Config,
    request_timeout: Option<Duration>,
) -> Result<Result<Transport, kube::Error>, Failure> {
    if config.auth_info.auth_provider.is_none() {
        return Ok(Transport::new(config));
    }
    let limit = request_timeout.unwrap_or(plugin::LIMIT);
    let making = tokio::task::spawn_blocking(|| Transport::new(config));
    let unusable = |why: String| {
        Failure::new("the credentials of this context cannot be used")
            .because(why)
            .hint("check with: kubectl auth whoami")
    };
    tokio::time::timeout(limit, making)
        .await
        .map_err(|_| unusable(format!("its auth provider did not answer within {}s", limit.as_secs_f64())))?
        .map_err(|error| unusable(error.to_string()))
}

/// Clients and their settings
struct Opened {
    transport: Transport,
    /// Expiry of their credentials, if known.
    good_until: Option<Timestamp>,
    /// Namespace of the context, or of the flag.
    namespace: String,
    /// Address of the server, safe for display.
    server: String,
    /// Context used.
    context: Option<String>,
}

impl Cluster {
    /// Renews credentials that are known to have expired. Best effort: the server decides.
    pub(super) async fn renew_when_expired(&self) {
        if self.has_expired() {
            self.renew_credentials(self.generation()).await;
        }
    }

    /// Reloads the kubeconfig and reruns its exec plugin after the server has refused the credentials.
    ///
    /// `refused` is the generation of the refused client. Returns whether there is a client that has not been refused
    /// yet. A server that refuses new credentials too is not retried for a while.
    pub(super) async fn renew_credentials(&self, refused: u32) -> bool {
        let mut last = self.shared.renewal.lock().await;
        if self.generation() != refused {
            // Another request was faster.
            return true;
        }
        let were_good = self.shared.let_in.load(Ordering::Relaxed);
        let pause = |obtained: bool| match (obtained, were_good) {
            (false, _) => FAILED_FOR,
            (true, true) => RENEWED_AT_MOST_EVERY,
            (true, false) => REFUSED_FOR,
        };
        if last.is_some_and(|(last, obtained)| elapsed_since(last) < pause(obtained)) {
            return false;
        }
        self.shared.let_in.store(false, Ordering::Relaxed);
        let renewed = Box::pin(self.shared.connection.transport()).await;
        // Now, not when it began: a plugin that hangs must not be run once more for each request that waited for it.
        *last = Some((monotonic_now(), renewed.is_ok()));
        match renewed {
            Ok(Opened { transport, good_until, .. }) => {
                tracing::info!("the credentials were refused or had expired, and have been read again");
                self.replace_transport(transport);
                self.note_expiry(good_until);
                true
            }
            Err(failure) => {
                tracing::warn!(%failure, "no new credentials");
                false
            }
        }
    }
}

/// Fails if the token is not a valid header value, which would make the library panic.
fn check_token(config: &Config) -> Result<(), Failure> {
    let is_odd = |token: &SecretString| HeaderValue::from_str(token.expose_secret()).is_err();
    if config.auth_info.token.as_ref().is_some_and(is_odd) {
        return Err(Failure::new("the credentials of this context cannot be used")
            .because("its token holds a line end or another character that no token can have")
            .hint("check with: kubectl auth whoami"));
    }
    Ok(())
}

/// A kubeconfig with a server and nothing else.
fn only(server: &str) -> Kubeconfig {
    let cluster = kube::config::Cluster { server: Some(server.to_owned()), ..Default::default() };
    Kubeconfig {
        clusters: vec![NamedCluster { cluster: Some(cluster), ..Default::default() }],
        contexts: vec![NamedContext { context: Some(Context::default()), ..Default::default() }],
        current_context: Some(String::new()),
        ..Kubeconfig::default()
    }
}

/// Describes a kubeconfig error without quoting the file, which holds tokens and keys.
fn told(error: &KubeconfigError) -> String {
    match error {
        KubeconfigError::Parse(fault) => yaml_fault::describe(fault, ""),
        KubeconfigError::ParseProxyUrl(_) => "its proxy-url is not a URL".to_owned(),
        other => other.to_string(),
    }
}

/// URL of the API server for display, without a password.
fn without_user(url: &http::Uri) -> String {
    match url.authority().and_then(|authority| authority.as_str().rsplit_once('@')) {
        Some((user, _)) => url.to_string().replacen(&format!("{user}@"), "", 1),
        None => url.to_string(),
    }
}

fn no_kubeconfig(fault: &KubeconfigFault) -> Failure {
    let what = match fault {
        KubeconfigFault::Missing(_) | KubeconfigFault::NoHome => "there is no kubeconfig",
        KubeconfigFault::Unusable { .. } => "the kubeconfig cannot be read",
    };
    Failure::new(what)
        .because(fault)
        .hint("pass --kubeconfig FILE or set KUBECONFIG")
        .hint("without a cluster, try: kubectl bootstorm run --sandbox --end 20")
}
