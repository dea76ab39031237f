//! A row as a line of `cases.csv` and of `cases.jsonl`.

use serde_json::{Value, json};

use super::row::{Counters, Row};
use super::statistics::rounded;

impl Row {
    /// Every column with its value, in order; the texts, where wanted, come last.
    pub fn columns(&self) -> Vec<(&'static str, Value)> {
        let (before, after) = (&self.before, &self.after);
        let more = |count: fn(&Counters) -> u32| json!(count(after).saturating_sub(count(before)));
        let stats = &after.stats;
        let end = self.reply.as_ref().map(|reply| reply.end);
        let mut columns = vec![
            ("case", json!(self.case)),
            ("repeat", json!(self.repeat)),
            ("unix_seconds", json!(self.unix_seconds)),
            ("outcome", json!(self.outcome.name())),
            ("end", json!(end)),
            ("prompt_tokens", json!(self.prompt_tokens())),
            ("reply_tokens", json!(self.reply_tokens())),
            ("read_ms", number(self.read_ms())),
            ("read_ms_per_token", number(self.read_ms_per_token())),
            ("board_first_token_ms", number(self.board_first_token_ms())),
            ("host_first_token_ms", number(self.host_first_token_ms())),
            ("host_reply_ms", number(self.host_reply_ms())),
            ("decode_tokens", json!(self.decode_tokens())),
            ("decode_ms", number(self.decode_ms())),
            ("decode_tokens_per_second", number(self.decode_tokens_per_second())),
            ("host_decode_tokens_per_second", number(self.host_decode_tokens_per_second())),
            ("heap_used_bytes", json!(stats.heap_used)),
            ("heap_size_bytes", json!(stats.heap_size)),
            ("context_used_tokens", json!(stats.context_used)),
            ("context_size_tokens", json!(stats.context_size)),
            ("board_frames_corrupt", more(|it| it.stats.frames_corrupt)),
            ("board_frames_resent", more(|it| it.stats.frames_resent)),
            ("board_uart_overruns", more(|it| it.stats.uart_overruns)),
            ("board_uart_line_errors", more(|it| it.stats.uart_line_errors)),
            ("board_log_bytes_dropped", more(|it| it.stats.log_bytes_dropped)),
            ("host_frames_corrupt", more(|it| it.cable.frames_corrupt)),
            ("host_frames_resent", more(|it| it.cable.frames_resent)),
            ("round_trip_micros", known(after.cable.round_trip_micros)),
            ("line_baud", known(after.cable.baud)),
            ("line_fallbacks", more(|it| it.cable.fallbacks)),
            ("temperature_millidegrees", known(stats.temperature_millidegrees)),
            ("arm_clock_hz", known(stats.arm_clock_hz)),
        ];
        if let Some(messages) = &self.messages {
            columns.push(("messages", json!(messages)));
            columns.push(("reply", json!(self.reply.as_ref().map(|reply| &reply.text))));
        }
        columns
    }

    /// The row as one JSON object, without the line's end.
    pub fn json_line(&self) -> String {
        let fields: Vec<_> = self
            .columns()
            .into_iter()
            .map(|(name, value)| format!("{}:{value}", Value::from(name)))
            .collect();
        format!("{{{}}}", fields.join(","))
    }

    /// The row as cells of CSV. Texts are left out: they are in the JSON lines.
    pub fn csv_line(&self) -> String {
        let cells: Vec<_> = self.csv_columns().map(|(_, value)| cell(&value)).collect();
        cells.join(",")
    }

    /// The names of these cells.
    pub fn csv_header(&self) -> String {
        let names: Vec<_> = self.csv_columns().map(|(name, _)| name).collect();
        names.join(",")
    }

    fn csv_columns(&self) -> impl Iterator<Item = (&'static str, Value)> {
        self.columns().into_iter().filter(|(name, _)| !matches!(*name, "messages" | "reply"))
    }
}

/// A cell needs no quotes: names have no comma in them, and the rest are numbers and words.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn number(value: Option<f64>) -> Value {
    json!(value.filter(|value| value.is_finite()).map(rounded))
}

/// The board says 0 of what it does not know.
fn known(value: u32) -> Value {
    json!((value != 0).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::super::row::Outcome;
    use super::super::row::tests::row;
    use super::*;

    #[test]
    fn lines_have_one_cell_per_column_and_no_text_unless_wanted() {
        let mut row = row("a", 2, Outcome::Answered);
        let header = row.csv_header();
        assert_eq!(header.split(',').count(), row.csv_line().split(',').count());
        assert!(header.starts_with("case,repeat,unix_seconds,outcome,end,"));
        assert!(row.csv_line().starts_with("a,2,1800000000,answered,length,4,11,20.0,5.0,50.0,"));
        let value: Value = serde_json::from_str(&row.json_line()).unwrap();
        assert_eq!(value["board_frames_corrupt"], 2);
        assert_eq!(value["arm_clock_hz"], Value::Null);
        assert!(!row.json_line().contains("yes"));
        row.messages = Some(vec!["is it?".into()]);
        let value: Value = serde_json::from_str(&row.json_line()).unwrap();
        assert_eq!((&value["messages"][0], &value["reply"]), (&json!("is it?"), &json!("yes")));
        assert!(!row.csv_line().contains("yes") && !row.csv_header().contains("reply,"));
    }
}
