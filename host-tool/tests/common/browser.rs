//! A headless Chromium, driven through chromedriver.
#![allow(dead_code, clippy::unwrap_used)] // Each test file uses its part.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::json;
use url::Url;

const CHROMIUM: &str = "/usr/bin/chromium";
const CHROMEDRIVER: &str = "/usr/bin/chromedriver";

/// How long the page may take for anything, on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A command of chromedriver's own.
#[derive(Debug)]
struct Order {
    path: &'static str,
    body: serde_json::Value,
}

impl WebDriverCompatibleCommand for Order {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, url::ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.body.to_string()))
    }
}

/// A running browser.
pub struct Browser {
    /// To drive it.
    pub client: Client,
    driver: Child,
    profile: tempfile::TempDir,
}

/// What a window looks like.
pub struct Look {
    /// Pixels.
    pub width: u32,
    /// Pixels.
    pub height: u32,
    /// Whether the system prefers dark colours.
    pub is_dark: bool,
    /// Whether it is a touch screen.
    pub is_phone: bool,
}

impl Browser {
    /// Starts one; `None`, with a message, where Chromium is not installed.
    pub async fn start() -> Option<Self> {
        if !Path::new(CHROMIUM).exists() || !Path::new(CHROMEDRIVER).exists() {
            assert!(std::env::var_os("WISP_REQUIRE_ALL").is_none(), "no {CHROMIUM}");
            println!(
                "skipped: no {CHROMIUM} and {CHROMEDRIVER} here (apt install chromium-driver)"
            );
            return None;
        }
        let profile = tempfile::tempdir().unwrap();
        let log = profile.path().join("driver.log");
        let driver = Command::new(CHROMEDRIVER)
            .args(["--port=0", &format!("--log-path={}", log.display())])
            .stdin(Stdio::null())
            .stdout(std::fs::File::create(profile.path().join("out")).unwrap())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let port = wait_for_port(&profile.path().join("out"));
        let mut browser_arguments: Vec<String> = [
            "--headless",
            "--disable-gpu",
            "--disable-quic",
            "--no-first-run",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--disable-dev-shm-usage",
            // Tests run as root in containers, where Chromium's sandbox cannot.
            "--no-sandbox",
            "--window-size=1000,800",
            "--hide-scrollbars",
        ]
        .map(String::from)
        .to_vec();
        browser_arguments
            .push(format!("--user-data-dir={}", profile.path().join("data").display()));
        let capabilities = json!({
            "goog:chromeOptions": { "binary": CHROMIUM, "args": browser_arguments },
            "goog:loggingPrefs": { "browser": "ALL" },
        });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Some(Self { client, driver, profile })
    }

    /// Text of the element with this selector, once `is_right` likes it.
    pub async fn text_when(&self, selector: &str, is_right: impl Fn(&str) -> bool) -> String {
        let began = Instant::now();
        loop {
            let script = "const e = document.querySelector(arguments[0]); \
                          return e === null || e.hidden ? '' : e.textContent;";
            let text = self.client.execute(script, vec![json!(selector)]).await.unwrap();
            let text = text.as_str().unwrap_or_default().to_string();
            if is_right(&text) {
                return text;
            }
            assert!(began.elapsed() < PATIENCE, "{selector} stayed {text:?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until an expression is true in the page.
    pub async fn until(&self, expression: &str) {
        let began = Instant::now();
        loop {
            let value =
                self.client.execute(&format!("return {expression};"), vec![]).await.unwrap();
            if value == json!(true) {
                return;
            }
            assert!(began.elapsed() < PATIENCE, "never true: {expression} (is {value})");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Types into the page's text field.
    pub async fn write(&self, text: &str) {
        let field = self.client.find(Locator::Id("text")).await.unwrap();
        field.send_keys(text).await.unwrap();
    }

    /// Clicks an element.
    pub async fn click(&self, selector: &str) {
        self.client.find(Locator::Css(selector)).await.unwrap().click().await.unwrap();
    }

    /// Makes the window look like another device.
    pub async fn look(&self, look: Look) {
        let Look { width, height, is_dark, is_phone } = look;
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({ "width": width, "height": height, "mobile": is_phone,
                    "deviceScaleFactor": if is_phone { 2 } else { 1 } }),
        )
        .await;
        let scheme = if is_dark { "dark" } else { "light" };
        let features = json!({ "features": [
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ] });
        self.devtools("Emulation.setEmulatedMedia", features).await;
    }

    /// Runs a script in each page before its own.
    pub async fn before_each_page(&self, script: &str) {
        let source = json!({ "source": script });
        self.devtools("Page.addScriptToEvaluateOnNewDocument", source).await;
    }

    /// Presses keys wherever the focus is.
    pub async fn press(&self, keys: &str) {
        self.client.active_element().await.unwrap().send_keys(keys).await.unwrap();
    }

    /// What axe-core has to say against the page as it is.
    pub async fn accessibility_complaints(&self) -> Vec<String> {
        let rules = include_str!("../vendor/axe-core/axe.min.js");
        let script = format!(
            "{rules}; const done = arguments[0]; axe.run().then(({{ violations }}) => \
             done(violations.flatMap(({{ id, help, nodes }}) => nodes.map((node) => \
             `${{id}}: ${{help}}: ${{node.html}} ${{node.failureSummary}}`))), (error) => done([`${{error}}`]))"
        );
        let complaints = self.client.execute_async(&script, vec![]).await.unwrap();
        let complaints = complaints.as_array().unwrap();
        complaints.iter().map(|complaint| complaint.to_string()).collect()
    }

    async fn devtools(&self, command: &str, parameters: serde_json::Value) {
        let body = json!({ "cmd": command, "params": parameters });
        let order = Order { path: "goog/cdp/execute", body };
        self.client.issue_cmd(order).await.unwrap();
    }

    /// What the page's console said since it was asked last.
    pub async fn console(&self) -> Vec<String> {
        let order = Order { path: "se/log", body: json!({ "type": "browser" }) };
        let entries = self.client.issue_cmd(order).await.unwrap();
        let entries = entries.as_array().unwrap();
        entries.iter().map(|entry| entry["message"].to_string()).collect()
    }

    /// Saves what the window shows to `target/screenshots/NAME.png`.
    pub async fn screenshot(&self, name: &str) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/screenshots");
        std::fs::create_dir_all(&folder).unwrap();
        let picture = self.client.screenshot().await.unwrap();
        std::fs::write(folder.join(format!("{name}.png")), picture).unwrap();
    }

    /// Ends it.
    pub async fn close(self) {
        self.client.clone().close().await.unwrap();
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.driver.kill();
        let _ = self.driver.wait();
        // After a failed test the browser is still there: it is the one with our profile.
        let profile = self.profile.path().display().to_string();
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        for process in processes {
            let arguments = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            if String::from_utf8_lossy(&arguments).contains(&profile) {
                let _ =
                    Command::new("kill").arg(process.file_name()).stderr(Stdio::null()).status();
            }
        }
    }
}

/// chromedriver prints which port it chose.
fn wait_for_port(output: &Path) -> u16 {
    let began = Instant::now();
    loop {
        let text = std::fs::read_to_string(output).unwrap();
        let port = text
            .split("successfully on port ")
            .nth(1)
            .and_then(|rest| rest.split(['.', '\n']).next()?.parse().ok());
        if let Some(port) = port {
            return port;
        }
        assert!(began.elapsed() < PATIENCE, "chromedriver did not start: {text}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
