//! A real terminal (tmux), typed into and read.

use std::path::PathBuf;
use std::process::Command;

use crate::support::{Desk, Printed, wait};

/// A terminal in which something runs; ended when dropped.
pub struct Screen {
    socket: PathBuf,
}

impl Screen {
    /// The command over the desk's lake, with the desk's folder as home.
    pub fn of(desk: &Desk, args: &[&str]) -> Screen {
        Screen::of_size(desk, args, ("120", "40"))
    }

    /// Of so many columns and rows.
    pub fn of_size(desk: &Desk, args: &[&str], size: (&str, &str)) -> Screen {
        Screen::with(desk, args, size, "")
    }

    /// With more variables of the environment, as `NAME=VALUE`.
    pub fn with(
        desk: &Desk,
        args: &[&str],
        (width, height): (&str, &str),
        variables: &str,
    ) -> Screen {
        let run = desk.command(args);
        let parts = std::iter::once(run.get_program()).chain(run.get_args());
        let parts = parts.map(|part| format!("'{}'", part.to_string_lossy()));
        let line = parts.collect::<Vec<_>>().join(" ");
        Screen::running(desk, &line, (width, height), variables)
    }

    /// In which a program runs, with its arguments as sh reads them.
    pub fn running(
        desk: &Desk,
        line: &str,
        (width, height): (&str, &str),
        variables: &str,
    ) -> Screen {
        // One of its own: the server of an earlier screen may still be ending.
        let mut sockets = (1..).map(|number| desk.path(&format!("tmux-{number}")));
        let screen = Screen {
            socket: sockets.find(|path| !path.exists()).expect("a name"),
        };
        let home = desk.path("");
        let home = home.display();
        let command = format!(
            "cd {home} && exec env -i TERM=screen LANG=C.UTF-8 PATH=$PATH HOME={home} {variables} {line}"
        );
        let size = ["-x", width, "-y", height];
        screen.tmux(
            &[
                &["-f", "/dev/null", "-u", "new-session", "-d"],
                &size[..],
                &[&command],
            ]
            .concat(),
        );
        screen
    }

    pub fn tmux(&self, args: &[&str]) -> Printed {
        let output = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .args(args)
            .output();
        let printed = Printed::from(output.expect("running tmux"));
        assert_eq!(printed.code, Some(0), "tmux {args:?}: {}", printed.stderr);
        printed
    }

    /// What it shows, without the empty rows below.
    pub fn text(&self) -> String {
        self.tmux(&["capture-pane", "-p"])
            .stdout
            .trim_end()
            .to_owned()
    }

    /// What it shows, with the signs by which it is colored.
    pub fn colored(&self) -> String {
        self.tmux(&["capture-pane", "-p", "-e"]).stdout
    }

    /// Whether what runs in it has not ended.
    pub fn is_there(&self) -> bool {
        let mut sessions = Command::new("tmux");
        sessions.arg("-S").arg(&self.socket).arg("ls");
        let sessions = sessions.output().expect("running tmux");
        sessions.status.success()
    }

    pub fn press(&self, key: &str) {
        self.tmux(&["send-keys", key]);
    }

    pub fn type_in(&self, text: &str) {
        // A semicolon at the end would be one of tmux's own.
        match text.strip_suffix(';') {
            Some(rest) => self.tmux(&["send-keys", "-l", "--", &format!("{rest}\\;")]),
            None => self.tmux(&["send-keys", "-l", "--", text]),
        };
    }

    pub fn enter(&self, line: &str) {
        self.type_in(line);
        self.press("Enter");
    }

    pub fn wait_until(&self, what: &str, holds: impl Fn(&str) -> bool) -> String {
        let mut text = String::new();
        wait(what, || {
            text = self.text();
            holds(&text)
        });
        text
    }

    pub fn wait_for(&self, expected: &str) -> String {
        self.wait_until(expected, |text| text.contains(expected))
    }

    /// Waits for an empty prompt below everything else.
    pub fn wait_for_prompt(&self) -> String {
        self.wait_until("the prompt", |text| text.lines().last() == Some("huggy>"))
    }

    pub fn clear(&self) {
        self.press("C-l");
        self.wait_until("an empty screen", |text| text == "huggy>");
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        let _ = Command::new("tmux")
            .arg("-S")
            .arg(&self.socket)
            .arg("kill-server")
            .output();
    }
}
