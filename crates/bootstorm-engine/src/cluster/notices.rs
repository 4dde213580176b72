//! Watches on events: warnings, and the normal events that time volumes and images.

use std::borrow::Cow;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer};

use super::error::clip;
use super::metadata::{Borrowed, Decoder, Watched};
use super::protobuf::{self, Malformed, Message, Part};
use bootstorm_model::duration;
use bootstorm_model::observe::{Notice, NoticeKind, Offset};

/// Field selector for pod events, without the normal ones that every pod has.
pub(super) const OF_PODS: &str = "involvedObject.kind=Pod,reason!=Scheduled,reason!=Pulling,reason!=Created,reason!=Started,reason!=Killing";
/// Field selector for warnings about everything else.
pub(super) const OF_OTHERS: &str = "type=Warning,involvedObject.kind!=Pod";
/// Maximum length of a message.
const MOST_TOLD: usize = 300;

/// An event, with only the used fields decoded
#[derive(Debug, Clone)]
pub struct CoreEvent {
    version: Box<str>,
    notice: Option<Notice>,
}

impl<'de> Deserialize<'de> for CoreEvent {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Text::deserialize(deserializer).map(Self::from)
    }
}

impl From<Text<'_>> for CoreEvent {
    fn from(text: Text<'_>) -> Self {
        Self { version: (&*text.metadata.resource_version).into(), notice: text.notice() }
    }
}

/// The text of an event, of either form
///
/// The numbers of its fields in protocol buffers are those of `generated.proto` in `k8s.io/api/core/v1`.
#[derive(Debug, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Text<'a> {
    #[serde(borrow)]
    metadata: Borrowed<'a>,
    #[serde(borrow)]
    involved_object: Involved<'a>,
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    #[serde(borrow)]
    reason: Cow<'a, str>,
    #[serde(borrow)]
    message: Cow<'a, str>,
    count: Option<u32>,
    event_time: Option<Timestamp>,
    last_timestamp: Option<Timestamp>,
    series: Option<Series>,
}

#[derive(Debug, Deserialize, Default)]
#[serde(default)]
struct Involved<'a> {
    #[serde(borrow)]
    kind: Cow<'a, str>,
    #[serde(borrow)]
    namespace: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    uid: Cow<'a, str>,
}

#[derive(Debug, Clone, Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Series {
    count: u32,
    last_observed_time: Option<Timestamp>,
}

impl Watched for CoreEvent {
    const DECODER: Option<Decoder<Self>> =
        Some(|message| protobuf::read(message).map(|text: Text<'_>| text.into()));

    fn resource_version(&self) -> &str {
        &self.version
    }
}

impl<'a> Message<'a> for Text<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => value.merge(&mut self.metadata)?,
            2 => value.merge(&mut self.involved_object)?,
            3 => self.reason = value.text()?,
            4 => self.message = value.text()?,
            7 => self.last_timestamp = value.time()?,
            8 => self.count = Some(value.integer()?),
            9 => self.r#type = value.text()?,
            10 => self.event_time = value.time()?,
            11 => self.series = Some(value.message()?),
            _ => {}
        }
        Ok(())
    }
}

impl<'a> Message<'a> for Involved<'a> {
    fn take(&mut self, number: u64, value: Part<'a>) -> Result<(), Malformed> {
        match number {
            1 => self.kind = value.text()?,
            2 => self.namespace = value.text()?,
            3 => self.name = value.text()?,
            4 => self.uid = value.text()?,
            _ => {}
        }
        Ok(())
    }
}

impl Message<'_> for Series {
    fn take(&mut self, number: u64, value: Part<'_>) -> Result<(), Malformed> {
        match number {
            1 => self.count = value.integer()?,
            2 => self.last_observed_time = value.time()?,
            _ => {}
        }
        Ok(())
    }
}

impl CoreEvent {
    /// The event converted for the fold; `None` if it is irrelevant.
    pub fn notice(self) -> Option<Notice> {
        self.notice
    }
}

/// A message without the words of a client that sends too many alike.
fn told(message: &str) -> &str {
    let message = message.trim();
    message.strip_prefix("(combined from similar events): ").unwrap_or(message)
}

impl Text<'_> {
    fn notice(self) -> Option<Notice> {
        let series = self.series.unwrap_or_default();
        let what = match (&*self.r#type, &*self.reason) {
            ("Warning", _) => NoticeKind::Warning {
                reason: clip(&self.reason, MOST_TOLD),
                message: clip(told(&self.message), MOST_TOLD),
                count: self.count.unwrap_or(0).max(series.count).max(1),
            },
            (_, "SuccessfulAttachVolume") => NoticeKind::Attached,
            (_, "Pulled") => NoticeKind::Pulled(pulled(&self.message)?),
            _ => return None,
        };
        Some(Notice {
            uid: self.metadata.uid.into_owned(),
            namespace: self.involved_object.namespace.into_owned(),
            kind: clip(&self.involved_object.kind, MOST_TOLD),
            name: clip(&self.involved_object.name, MOST_TOLD),
            about: self.involved_object.uid.into_owned(),
            what,
            stamp: series.last_observed_time.or(self.last_timestamp).or(self.event_time),
        })
    }
}

/// How long a pod waited for an image, from the kubelet's message; `None` if the image was present
///
/// `Successfully pulled image "x" in 2.1s (14.6s including waiting). Image size: 9 bytes.`; before Kubernetes 1.27
/// without the parenthesis.
fn pulled(message: &str) -> Option<Offset> {
    let rest = message.strip_prefix("Successfully pulled image ")?;
    let (_, times) = rest.rsplit_once("\" in ")?;
    let waited = times.split_once('(').and_then(|(_, rest)| rest.split_once(" including waiting"));
    let text = match waited {
        Some((waited, _)) => waited,
        None => times.split([' ', '(']).next()?.trim_end_matches('.'),
    };
    duration::parse(text).ok().map(|waited| Offset::from_seconds(waited.as_secs_f64()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn notice(event: serde_json::Value) -> Option<Notice> {
        serde_json::from_value::<CoreEvent>(event).unwrap().notice()
    }

    #[test]
    fn warnings_come_in_the_old_form_and_in_the_schedulers() {
        let about = json!({"kind": "Pod", "namespace": "p-1", "name": "virt-launcher-vm-x", "uid": "u"});
        let old = notice(
            json!({"metadata": {"uid": "e"}, "involvedObject": about, "type": "Warning", "reason": "FailedMount",
            "message": "timed out ", "count": 3, "firstTimestamp": "2026-01-01T00:00:00Z", "lastTimestamp": "2026-01-01T00:00:09Z", "eventTime": null}),
        );
        let old = old.unwrap();
        let told =
            NoticeKind::Warning { reason: "FailedMount".into(), message: "timed out".into(), count: 3 };
        assert_eq!((old.what, old.about.as_str()), (told, "u"));
        assert_eq!(old.stamp, Some("2026-01-01T00:00:09Z".parse().unwrap()));
        let scheduler = notice(
            json!({"metadata": {"uid": "e"}, "involvedObject": about, "type": "Warning", "reason": "FailedScheduling",
            "message": "0/3", "firstTimestamp": null, "lastTimestamp": null, "eventTime": "2026-01-01T00:00:01.250000Z",
            "series": {"count": 4, "lastObservedTime": "2026-01-01T00:00:07.000001Z"}}),
        );
        assert!(matches!(scheduler.unwrap().what, NoticeKind::Warning { count: 4, .. }));
        assert_eq!(notice(json!({"type": "Normal", "reason": "Started"})), None);
    }

    #[test]
    fn the_kubelet_says_how_long_a_pod_waited_for_an_image() {
        let seconds = |text: &str| pulled(text).map(Offset::seconds);
        let cases = [
            (
                r#"Successfully pulled image "a/b:1" in 2.1s (14.6s including waiting). Image size: 9 bytes."#,
                Some(14.6),
            ),
            (r#"Successfully pulled image "a" in 812ms (1m2.5s including waiting)"#, Some(62.5)),
            (r#"Successfully pulled image "a" in 1.500s"#, Some(1.5)),
            (r#"Container image "a" already present on machine"#, None),
            (r#"Successfully pulled image "a" in a moment"#, None),
        ];
        for (text, expected) in cases {
            assert_eq!(seconds(text), expected, "{text}");
        }
    }
}
