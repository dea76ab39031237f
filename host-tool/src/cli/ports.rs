//! `wisp ports`: which serial ports there are, and why one cannot be used.

use super::out;
use crate::errors::{Result, permission_help};
use crate::port::{PortEntry, PortState, list};

/// Prints the list.
pub(super) fn run() -> Result<()> {
    let ports = list();
    for port in &ports {
        out::line(&describe(port));
    }
    if ports.is_empty() {
        out::line("There is no serial port. Plug the USB serial adapter in.");
    }
    if !ports.iter().any(|port| port.state == PortState::Usable) {
        out::line("No board at hand? `wisp demo` emulates one.");
    }
    Ok(())
}

fn describe(port: &PortEntry) -> String {
    let path = port.path.display();
    let state = match &port.state {
        PortState::Usable => "usable".to_string(),
        PortState::Missing => {
            "announced by the kernel, but it has no node in /dev; plug it in again".to_string()
        }
        PortState::NotSerial => "not a serial device".to_string(),
        PortState::NoPermission { group } => format!("no permission. {}", permission_help(group)),
        PortState::Busy { holder } => format!("in use{holder}: close that program"),
        PortState::Unusable { cause } => format!("cannot be opened: {cause}"),
    };
    format!("{path}  {}\n    {state}", port.description)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_comes_with_what_to_do() {
        let entry = |state| PortEntry {
            path: "/dev/ttyUSB0".into(),
            description: "Maker Adapter".into(),
            is_built_in: false,
            state,
        };
        let text = describe(&entry(PortState::NoPermission { group: "dialout".into() }));
        assert!(text.contains("usermod -aG dialout"), "{text}");
        let holder = " by ModemManager (process 7)".to_string();
        let text = describe(&entry(PortState::Busy { holder }));
        assert!(text.contains("in use by ModemManager (process 7): close"), "{text}");
    }
}
