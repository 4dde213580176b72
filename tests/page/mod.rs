//! The pages in a browser.

mod browser;
mod dashboard;
mod record;
mod report;

use browser::Browser;

/// Opens a page; without a browser the test is skipped with a notice.
fn opened(page: &str) -> Option<Browser> {
    let Some(mut browser) = Browser::start() else {
        crate::tools::skipped("there is no Chromium on this machine");
        return None;
    };
    browser.open(page);
    Some(browser)
}
