//! After the play: where everything is, and what to try with it.

use super::event::{INCIDENT, MAJOR_INCIDENT};
use super::organisation::{CONNECTORS, Organisation};
use super::play::{CITY_PLANNER, Caller, QUESTIONS, RESCUE_OFFICER, SCHOOLS};
use super::show::Show;
use super::town::Town;
use crate::cli::Failure;
use std::fs;
use std::path::Path;

/// Makes the town whole again, writes the questions into files and says what can be done with them.
///
/// # Errors
/// The killed connector does not start again; a file cannot be written.
pub(super) async fn invite(town: &mut Town, show: &Show) -> Result<(), Failure> {
    town.restart(Organisation::Police).await?;
    let questions = town.folder().join("questions");
    let failed = |error| format!("cannot write into {}: {error}", questions.display());
    fs::create_dir_all(&questions).map_err(failed)?;
    for question in QUESTIONS {
        fs::write(
            questions.join(format!("{}.rq", question.name)),
            question.text,
        )
        .map_err(failed)?;
    }
    show.invite("\n== Everything runs again. Try, in another terminal:");
    for line in commands(town, &questions)? {
        show.invite(line);
    }
    show.invite("\nCtrl-C stops all of it.");
    Ok(())
}

fn commands(town: &Town, questions: &Path) -> Result<Vec<String>, Failure> {
    let program = quoted(&std::env::current_exe()?);
    let twinlink = |organisation: Organisation| {
        let config = &town.member(organisation).config().file;
        format!("{program} --config {}", quoted(config))
    };
    let file = |number: &str| -> String {
        let name = QUESTIONS.into_iter().find(|q| q.name.starts_with(number));
        let name = name.map_or(SCHOOLS.name, |question| question.name);
        quoted(&questions.join(format!("{name}.rq")))
    };
    let rescue = town.member(Organisation::Rescue);
    let part = |name: &str| quoted(&rescue.home().join("identity").join(name));
    let mut lines =
        vec!["\n# what the play asked, as the rescue officer and as the city planner".to_owned()];
    for (caller, number) in [(&RESCUE_OFFICER, "4"), (&CITY_PLANNER, "7")] {
        lines.push(format!(
            "{} query --federated {} --file {}",
            twinlink(caller.organisation),
            claims(caller),
            file(number)
        ));
    }
    lines.push("\n# the same over HTTP, with the department's certificate and a token".to_owned());
    lines.push(format!(
        "curl -sS --cert {} --key {} --cacert {} -H \"Authorization: Bearer $({} token {})\" -H 'Accept: text/csv' --data-urlencode query@{} {}/sparql?federated=true",
        part("certificate.pem"),
        part("key.pem"),
        part("authority.pem"),
        twinlink(Organisation::Rescue),
        claims(&RESCUE_OFFICER),
        file("4"),
        rescue.config().public_url,
    ));
    lines.push("\n# is everything in order, and who may know what?".to_owned());
    lines.push(format!("{} doctor", twinlink(Organisation::Rescue)));
    lines.push(format!("{} policy check", twinlink(Organisation::Police)));
    lines.push(
        "\n# say for the police that the incident is major, break the glass, and see who owes what"
            .to_owned(),
    );
    let incident = INCIDENT.as_str();
    lines.push(format!(
        "{} incident declare --id {incident}/again --kind {} --hours 1",
        twinlink(Organisation::Police),
        MAJOR_INCIDENT.as_str()
    ));
    lines.push(format!(
        "{} query --federated --break-glass {incident}/again {} --file {}",
        twinlink(Organisation::Rescue),
        claims(&RESCUE_OFFICER),
        file("10")
    ));
    lines.push(format!(
        "{} obligation list",
        twinlink(Organisation::Police)
    ));
    lines.push("\n# stop the police yourself, and ask question 4 again".to_owned());
    if let Some(id) = town.member(Organisation::Police).process_id() {
        lines.push(format!("kill {id}"));
    }
    lines.push("\n# the connectors, and their logs".to_owned());
    for organisation in CONNECTORS {
        let member = town.member(organisation);
        lines.push(format!(
            "{}   {}",
            member.config().public_url,
            member.home().join("serve.log").display()
        ));
    }
    Ok(lines)
}

/// What a caller says of itself, as options.
fn claims(caller: &Caller) -> String {
    let roles = caller
        .roles
        .iter()
        .map(|role| format!("--role '{}'", role.as_str()));
    let purpose = caller
        .purpose
        .map(|purpose| format!("--purpose '{}'", purpose.as_str()));
    roles.chain(purpose).collect::<Vec<_>>().join(" ")
}

/// A path as one word of a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+=:@".contains(c);
    if text.chars().all(plain) {
        text
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::quoted;
    use std::path::Path;

    #[test]
    fn paths_stay_one_word() {
        assert_eq!(quoted(Path::new("/tmp/a-b")), "/tmp/a-b");
        assert_eq!(quoted(Path::new("/tmp/a b's")), r"'/tmp/a b'\''s'");
    }
}
