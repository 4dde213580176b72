//! `--index`: sends the documents for kube-burner's dashboards to `OpenSearch` or Elasticsearch.

use clap::Args;

use crate::console::Console;
use bootstorm_engine::bulk::{self, Entry, Sent};
use bootstorm_engine::outside::{Outside, Settings, Url, authorization, authorized};
use bootstorm_engine::phases::Interrupt;
use bootstorm_model::failure::Failure;
use bootstorm_model::record::RunRecord;
use bootstorm_report::{Report, Selection, ThresholdBlock};

/// Flags for a server of documents
#[derive(Debug, Clone, Args)]
pub struct IndexArgs {
    /// Send the documents of -o kube-burner to OpenSearch or Elasticsearch, for example `https://HOST:9200`
    ///
    /// Repeating the command replaces them. Credentials come from the environment: `BOOTSTORM_INDEX_TOKEN`,
    /// or
    /// `BOOTSTORM_INDEX_USERNAME` and `BOOTSTORM_INDEX_PASSWORD`.
    #[arg(long, value_name = "URL")]
    pub index: Option<String>,
    /// Index that receives the documents of --index
    #[arg(long, value_name = "NAME", default_value = "kube-burner", value_parser = index_name)]
    pub index_name: String,
}

fn index_name(text: &str) -> Result<String, String> {
    let why = "an index has lower-case letters, digits and dashes, such as kube-burner";
    if bulk::is_index_name(text) { Ok(text.to_owned()) } else { Err(why.to_owned()) }
}

impl IndexArgs {
    /// Fails if the address or the credentials are unusable; sends nothing.
    pub fn check(&self) -> Result<(), Failure> {
        self.server().map(drop)
    }

    /// Sends the documents of a run. A failure is reported as a warning: the run itself is measured and saved.
    pub async fn finish(
        &self,
        console: Console,
        interrupt: &Interrupt,
        record: &RunRecord,
        thresholds: &[ThresholdBlock],
    ) {
        if self.index.is_none() {
            return;
        }
        let report = Report::of(record, &Selection::default()).with_thresholds(thresholds.to_vec());
        if let Err(failure) = Box::pin(self.send(console, interrupt, &report)).await {
            let why: Vec<String> = failure.causes.into_iter().collect();
            let hint = failure.hints.first().map(|hint| format!("; {hint}")).unwrap_or_default();
            console.warn(&format!("{}: {}{hint}", failure.message, why.join("; ")));
        }
    }

    /// Sends the documents of a report. Fails unless all of them were stored.
    pub async fn send(
        &self,
        console: Console,
        interrupt: &Interrupt,
        report: &Report,
    ) -> Result<(), Failure> {
        let Some((url, server)) = self.server()? else { return Ok(()) };
        let documents = report
            .kube_burner_documents()
            .map_err(|error| Failure::new("the documents cannot be created").because(error))?;
        let entries: Vec<Entry<'_>> =
            documents.iter().map(|document| Entry { id: &document.id, body: &document.body }).collect();
        let mut interrupt = interrupt.clone();
        let sent = tokio::select! {
            biased;
            () = interrupt.wait() => Err("interrupted".to_owned()),
            sent = bulk::send(&server, &self.index_name, &entries) => sent,
        };
        let run = &report.run.name;
        let again = format!(
            "send them again: kubectl bootstorm report --ns-prefix {run} --index {url} --index-name {}",
            self.index_name
        );
        match sent {
            Ok(Sent { indexed, refused: 0, .. }) => {
                console.say(&format!("{indexed} documents indexed in {} at {url}", self.index_name));
                Ok(())
            }
            Ok(Sent { indexed, refused, why }) => Err(Failure::new(format!(
                "{refused} of {} documents were not indexed at {url}",
                indexed + refused
            ))
            .because(why.unwrap_or_default())
            .hint(again)),
            Err(why) => Err(Failure::new(format!("nothing was indexed at {url}")).because(why).hint(again)),
        }
    }

    fn server(&self) -> Result<Option<(Url, Outside)>, Failure> {
        let Some(text) = &self.index else { return Ok(None) };
        let url = Url::parse("--index", text)?
            .with_query("filter_path=errors,items.*._id,items.*.status,items.*.error");
        let headers = authorized(authorization("INDEX", |name| std::env::var(name).ok())?);
        let server = Outside::new(&url, &Settings { headers, ..Settings::default() })?;
        Ok(Some((url, server)))
    }
}
