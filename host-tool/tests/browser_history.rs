//! A conversation of ten thousand messages in a real browser.
#![allow(clippy::unwrap_used, clippy::panic)] // Helpers of tests are tests to us, not to clippy.

mod common;
#[path = "common/browser.rs"]
mod driver;

use common::Harness;
use driver::Browser;
use link::message::Speaker;
use wisp::client::{ChatMessage, Delivery, ReplyState, Update};

fn message(key: u64, text: &str) -> ChatMessage {
    let is_yours = key.is_multiple_of(2);
    ChatMessage {
        key,
        speaker: if is_yours { Speaker::You } else { Speaker::Wisp },
        text: text.to_string(),
        unix_seconds: 1_700_000_000 + key,
        delivery: is_yours.then_some(Delivery::Read),
        reply: (!is_yours).then_some(ReplyState::Finished),
        timing: None,
    }
}

const ROWS: &str = "document.querySelectorAll('.message').length";

/// Remembers a row and where it is on the screen.
const MARK: &str = "(() => { window.marked = document.querySelector('.message'); \
                    window.top0 = marked.getBoundingClientRect().top; return true; })()";

/// Whether it is still there.
const IS_STILL_THERE: &str = "Math.abs(marked.getBoundingClientRect().top - top0) < 2";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn older_messages_come_when_the_reader_comes_to_them_and_nothing_jumps() {
    let Some(browser) = Browser::start().await else { return };
    let harness = Harness::start();
    let hub = &harness.hub;
    browser.client.goto(&harness.link()).await.unwrap();
    // Taken up while the page is open, as when the board says which persona it is.
    let all = (0..10_000).map(|key| message(key, &format!("message {key}"))).collect();
    hub.publish(&Update::History { messages: all });
    browser.until(&format!("{ROWS} === 200")).await;
    browser.text_when(".message:last-child .words", |text| text == "message 9999").await;
    let at_end = "(() => { const s = document.getElementById('scroller'); \
                  return s.scrollHeight - s.scrollTop - s.clientHeight < 2; })()";
    browser.until(at_end).await;

    for loaded in [400, 600] {
        // To the top at once: what was there stays under the eye.
        browser.until(MARK).await;
        let to_top = "(() => { document.getElementById('scroller').scrollTop = 0; \
                      window.top0 = marked.getBoundingClientRect().top; return true; })()";
        browser.until(to_top).await;
        browser.until(&format!("{ROWS} === {loaded}")).await;
        browser.until(IS_STILL_THERE).await;
    }
    browser.text_when(".message:first-child .words", |text| text == "message 9400").await;

    // Something new at the end does not disturb who reads further up; nor does what is not here.
    browser.until(MARK).await;
    let news = message(10_001, "something new");
    hub.publish(&Update::Message { message: news, after: Some(9999) });
    let elsewhere = message(4000, "another state");
    hub.publish(&Update::Message { message: elsewhere, after: Some(3999) });
    browser.until("!document.getElementById('newest').hidden").await;
    browser.until(&format!("{ROWS} === 601")).await;
    browser.until(IS_STILL_THERE).await;
    browser.text_when(".message:last-child .words", |text| text == "something new").await;
    assert_eq!(
        browser.text_when("#announcer", |text| !text.is_empty()).await,
        "something new",
        "what is old is not read out"
    );

    // All of that was on one day; what comes now is of another. Nobody looks: the title counts it.
    const DAYS: &str = "document.querySelectorAll('[data-day]').length";
    browser.until(&format!("{DAYS} === 1")).await;
    let look_away = "(() => { Object.defineProperty(document, 'hidden', \
                     { configurable: true, get: () => true }); return true; })()";
    browser.until(look_away).await;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    let today = ChatMessage { unix_seconds: now.as_secs(), ..message(10_003, "good morning") };
    hub.publish(&Update::Message { message: today, after: Some(10_001) });
    browser.until(&format!("{DAYS} === 2")).await;
    browser.until("document.querySelector('.message:last-child').dataset.day === 'Today'").await;
    browser.until("document.title.startsWith('(1) ')").await;
    browser.screenshot("days-desktop").await;
    let look_back = "(() => { delete document.hidden; \
                     document.dispatchEvent(new Event('visibilitychange')); return true; })()";
    browser.until(look_back).await;
    browser.until("!document.title.startsWith('(')").await;
    hub.publish(&Update::Withdrawn { key: 10_003 });
    browser.until(&format!("{DAYS} === 1")).await;

    hub.publish(&Update::Forgotten);
    browser.until(&format!("{ROWS} === 0")).await;
    let console = browser.console().await;
    assert!(console.is_empty(), "{console:?}");
    browser.close().await;
}
