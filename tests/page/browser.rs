//! Headless Chromium, driven through its debugging pipe: NUL-terminated JSON, no port, no driver.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

const PROGRAMS: [&str; 3] = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
/// Keeps the browser from making requests of its own.
const FLAGS: [&str; 11] = [
    "--headless",
    "--remote-debugging-pipe",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
];
/// Without an answer in this time, the browser hangs.
const PATIENCE: Duration = Duration::from_secs(60);

/// A browser with one page
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    /// Messages other than answers.
    events: Vec<Value>,
    session: Option<String>,
    last: u64,
    home: TempDir,
}

impl Browser {
    /// Starts a browser if there is one.
    pub(crate) fn start() -> Option<Self> {
        let program = PROGRAMS.iter().find(|path| Path::new(path).exists())?;
        let home = tempfile::tempdir().unwrap();
        // The browser reads commands from descriptor 3 and answers on 4; the shell puts the pipes there.
        let mut child = Command::new("/bin/sh")
            .args(["-c", r#"exec "$0" "$@" 3<&0 4>&1 </dev/null >/dev/null 2>&1"#, program])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", home.path().join("profile").display()))
            .env("HOME", home.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let (sender, messages) = channel();
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            let mut message = Vec::new();
            while output.read_until(0, &mut message).is_ok_and(|length| length > 0) {
                message.pop();
                if sender.send(serde_json::from_slice(&message).unwrap()).is_err() {
                    break;
                }
                message.clear();
            }
        });
        let mut browser = Self { child, input, messages, events: Vec::new(), session: None, last: 0, home };
        let target = browser.call("Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", &attach)["sessionId"].clone();
        let downloads = browser.home.path().join("downloads");
        browser.call(
            "Browser.setDownloadBehavior",
            &json!({"behavior": "allow", "downloadPath": downloads, "eventsEnabled": true}),
        );
        browser.session = session.as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Network", "Log"] {
            browser.call(&format!("{domain}.enable"), &json!({}));
        }
        browser.resize(1280);
        Some(browser)
    }

    /// Sets the page's width in pixels.
    pub(crate) fn resize(&mut self, width: u32) {
        let params = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", &params);
    }

    /// Sends a command and waits for its answer.
    pub(crate) fn call(&mut self, method: &str, params: &Value) -> Value {
        self.last += 1;
        let mut command = json!({"id": self.last, "method": method, "params": params});
        if let Some(session) = &self.session {
            command["sessionId"] = session.as_str().into();
        }
        self.input.write_all(format!("{command}\0").as_bytes()).unwrap();
        loop {
            let message =
                self.messages.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no answer: {method}"));
            if message["id"] == self.last {
                assert!(message.get("error").is_none(), "{method}: {message}");
                return message["result"].clone();
            }
            self.events.push(message);
        }
    }

    /// Waits for an event that `is` matches, including those already received.
    fn wait(&mut self, what: &str, is: impl Fn(&Value) -> bool) -> Value {
        if let Some(place) = self.events.iter().position(&is) {
            return self.events.remove(place);
        }
        loop {
            let message = self.messages.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no event: {what}"));
            if is(&message) {
                return message;
            }
            self.events.push(message);
        }
    }

    /// Opens a page from a file.
    pub(crate) fn open(&mut self, page: &str) {
        let path = self.home.path().join("page.html");
        fs::write(&path, page).unwrap();
        self.call("Page.navigate", &json!({"url": format!("file://{}", path.display())}));
        self.wait("load", |event| event["method"] == "Page.loadEventFired");
    }

    /// The value of a JavaScript expression.
    #[track_caller]
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "returnByValue": true, "awaitPromise": true, "userGesture": true});
        let answer = self.call("Runtime.evaluate", &params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {answer}");
        answer["result"]["value"].clone()
    }

    /// The text of the elements that a selector matches.
    #[track_caller]
    pub(crate) fn texts(&mut self, selector: &str) -> Vec<String> {
        let selector = json!(selector);
        let found = self.value(&format!(
            "[...document.querySelectorAll({selector})].map(e => e.innerText ?? e.textContent)"
        ));
        serde_json::from_value(found).unwrap()
    }

    /// Clicks the first element that a selector matches.
    #[track_caller]
    pub(crate) fn click(&mut self, selector: &str) {
        let selector = json!(selector);
        self.value(&format!("document.querySelector({selector}).click()"));
    }

    /// Types into a field or chooses an option.
    #[track_caller]
    pub(crate) fn enter(&mut self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.value(&format!(
            "(() => {{ const field = document.querySelector({selector}); field.value = {text}; \
             field.dispatchEvent(new Event(field.tagName === 'SELECT' ? 'change' : 'input', {{ bubbles: true }})); }})()"
        ));
    }

    /// Presses a key in the element that a selector matches.
    #[track_caller]
    pub(crate) fn press(&mut self, selector: &str, key: &str, code: u32) {
        let selector = json!(selector);
        self.value(&format!("document.querySelector({selector}).focus()"));
        let text = if key == "Enter" { "\r" } else { "" };
        let down =
            json!({"type": "keyDown", "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
        self.call("Input.dispatchKeyEvent", &down);
        self.call("Input.dispatchKeyEvent", &json!({"type": "keyUp", "key": key, "code": key}));
    }

    /// Clicks a download link and returns the file's name and content.
    #[track_caller]
    pub(crate) fn download(&mut self, selector: &str) -> (String, String) {
        self.click(selector);
        let begun = self.wait("download", |event| event["method"] == "Browser.downloadWillBegin");
        let name = begun["params"]["suggestedFilename"].as_str().unwrap().to_owned();
        self.wait("its end", |event| {
            event["method"] == "Browser.downloadProgress" && event["params"]["state"] == "completed"
        });
        let content = fs::read_to_string(self.home.path().join("downloads").join(&name)).unwrap();
        (name, content)
    }

    /// Requests for anything but the page itself, errors, and console output.
    #[track_caller]
    pub(crate) fn complaints(&mut self) -> Vec<String> {
        // Pending messages arrive before the answer to this.
        self.value("new Promise(done => requestAnimationFrame(() => setTimeout(done)))");
        let is_complaint = |event: &&Value| match event["method"].as_str().unwrap_or_default() {
            "Network.requestWillBeSent" => {
                let url = event["params"]["request"]["url"].as_str().unwrap_or_default();
                !url.ends_with("/page.html") && !url.starts_with("blob:")
            }
            "Runtime.exceptionThrown" | "Log.entryAdded" | "Runtime.consoleAPICalled" => true,
            "Page.javascriptDialogOpening" => true,
            _ => false,
        };
        self.events.iter().filter(is_complaint).map(ToString::to_string).collect()
    }

    /// Asserts that only the page itself was requested, and that there were no errors.
    #[track_caller]
    pub(crate) fn assert_calm(&mut self) {
        assert_eq!(self.complaints(), Vec::<String>::new());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
