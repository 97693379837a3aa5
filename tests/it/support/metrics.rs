//! A connector's HTTP pages, asked for as Prometheus and a kubelet do, and its metrics as numbers.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// An HTTP answer: the status, and the body as text.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: u16,
    pub body: String,
}

/// GET `path` from `address` (`host:port`).
pub fn get(address: &str, path: &str) -> io::Result<Answer> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(10)))?;
    // HTTP/1.0: the body ends where the connection does.
    write!(stream, "GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: */*\r\n\r\n")?;
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| io::Error::other("no end of the headers"))?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    let status = status.ok_or_else(|| io::Error::other(format!("no status in {head:?}")))?;
    Ok(Answer { status, body: body.to_owned() })
}

/// The value of the first series in Prometheus's text format that has this name and at least these labels.
///
/// Label values with commas or quotes are not understood; the metrics of this program have none.
pub fn metric(text: &str, name: &str, labels: &[(&str, &str)]) -> Option<f64> {
    text.lines().filter(|line| !line.starts_with('#')).find_map(|line| {
        let (series, value) = line.rsplit_once(' ')?;
        let (series_name, series_labels) = match series.split_once('{') {
            Some((series_name, rest)) => (series_name, rest.strip_suffix('}')?),
            None => (series, ""),
        };
        let present =
            |key: &str, value: &str| series_labels.split(',').any(|label| label.trim() == format!("{key}=\"{value}\""));
        let matches = series_name == name && labels.iter().all(|(key, value)| present(key, value));
        matches.then(|| value.parse().ok()).flatten()
    })
}

#[test]
fn finds_a_series_by_name_and_labels() {
    let text = "# HELP a_total x\n# TYPE a_total counter\na_total{connector=\"x\",kind=\"full\"} 3\n\
                a_total{connector=\"y\",kind=\"full\"} 4\na_total_more 5\nb 1.5e3\n";
    assert_eq!(metric(text, "a_total", &[("connector", "y")]), Some(4.0));
    assert_eq!(metric(text, "a_total", &[("kind", "full"), ("connector", "x")]), Some(3.0));
    assert_eq!(metric(text, "a_total", &[("kind", "short")]), None);
    assert_eq!(metric(text, "b", &[]), Some(1500.0));
}
