//! Who handed a message to our mail server, as the topmost `Received` field says (RFC 5321 section 4.4), if one of ours wrote it.
//!
//! The field quotes strangers: the name by which one greeted, words of its certificate. So the forms in which Postfix and
//! Sendmail write it, and Exim where the peer's address has a name, are taken letter by letter, and no other is.

use std::net::IpAddr;

/// Longest field that is looked at, in bytes.
const FIELD_BYTES_MAX: usize = 8 * 1024;

/// Who handed a message over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Peer {
    /// Its address, as our server saw it.
    pub address: IpAddr,
    /// The name by which it greeted; absent where it gave an address instead.
    pub helo: Option<String>,
}

/// The peer that the topmost `Received` names, if it is in one of the forms
///
/// ```text
/// from HELO (NAME [ADDRESS]) by OURS ...
/// from HELO ([ADDRESS]) by OURS ...
/// from NAME ([ADDRESS] helo=HELO) by OURS ...
/// ```
///
/// with nothing but comments between and a single ` by `, and `OURS` is one of these names. Any other `Received` may be a
/// stranger's.
pub(super) fn peer(head: &[u8], ours: &[String]) -> Option<Peer> {
    let field = topmost(head)?;
    if field.matches(" by ").count() != 1 {
        return None;
    }
    let (outer, rest) = field.strip_prefix("from ")?.split_once(" (")?;
    if !is_greeting(outer) {
        return None;
    }
    // What greets in these letters opens no comment, so this one is our server's own.
    let (comment, mut rest) = rest.split_once(')')?;
    let (address, helo) = match comment.split_once(' ') {
        None => (literal(comment)?, outer),
        Some((first, second)) => match second.strip_prefix("helo=") {
            Some(helo) => (literal(first)?, helo),
            None if is_resolved(first) => (literal(second)?, outer),
            None => return None,
        },
    };
    if !is_greeting(helo) {
        return None;
    }
    while let Some(comment) = rest.strip_prefix(" (") {
        rest = after_comment(comment)?;
    }
    let by = rest.strip_prefix(" by ")?.split([' ', ';']).next()?;
    ours.iter()
        .any(|ours| ours.eq_ignore_ascii_case(by))
        .then(|| Peer {
            address,
            helo: is_name(helo).then(|| helo.to_owned()),
        })
}

/// The topmost `Received` on one line, with single blanks.
fn topmost(head: &[u8]) -> Option<String> {
    let mut lines = head
        .split(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let first = lines
        .by_ref()
        .take_while(|line| !line.is_empty())
        .find_map(value)?;
    let mut field = first.to_vec();
    for line in lines.take_while(|line| matches!(line.first(), Some(b' ' | b'\t'))) {
        field.extend_from_slice(line);
    }
    let field = String::from_utf8(field).ok()?;
    if field.len() > FIELD_BYTES_MAX || field.chars().any(|c| c.is_control() && c != '\t') {
        return None;
    }
    Some(field.split_ascii_whitespace().collect::<Vec<_>>().join(" "))
}

/// What stands in a line that begins a `Received` field.
fn value(line: &[u8]) -> Option<&[u8]> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = line.get(..colon)?.trim_ascii_end();
    name.eq_ignore_ascii_case(b"received")
        .then(|| line.get(colon + 1..))
        .flatten()
}

/// What follows a comment that was begun, those inside it with it.
fn after_comment(text: &str) -> Option<&str> {
    let mut open = 1_usize;
    for (at, c) in text.char_indices() {
        match c {
            '(' => open += 1,
            ')' => open -= 1,
            _ => {}
        }
        if open == 0 {
            return text.get(at + 1..);
        }
    }
    None
}

fn is_greeting(word: &str) -> bool {
    is_name(word) || literal(word).is_some()
}

fn is_name(word: &str) -> bool {
    !word.is_empty()
        && word
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b'_'))
}

/// Whether a server found a word to be the name of an address: not so `HELO`, behind which qmail quotes the greeting.
fn is_resolved(word: &str) -> bool {
    is_name(word) && (word.contains('.') || matches!(word, "unknown" | "localhost"))
}

/// An address in brackets.
fn literal(word: &str) -> Option<IpAddr> {
    let address = word.strip_prefix('[')?.strip_suffix(']')?;
    let address = address.strip_prefix("IPv6:").unwrap_or(address);
    address
        .parse::<IpAddr>()
        .ok()
        .map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(head: &str) -> Option<(String, Option<String>)> {
        let ours = ["mx.provider.example".to_owned()];
        peer(head.as_bytes(), &ours).map(|peer| (peer.address.to_string(), peer.helo))
    }

    #[test]
    fn the_address_is_the_one_that_our_server_saw() {
        for (field, address, helo) in [
            // Postfix, plain, folded, and with what it says of TLS.
            (
                "from out.a.example (out.a.example [203.0.113.9]) by mx.provider.example (Postfix) with ESMTP id 4F1",
                "203.0.113.9",
                Some("out.a.example"),
            ),
            (
                "from my_pc (unknown [203.0.113.9])\r\n\tby MX.provider.example (Postfix) with ESMTP\r\n\tfor <a@b.example>; Mon",
                "203.0.113.9",
                Some("my_pc"),
            ),
            (
                "from out.a.example (out.a.example [IPv6:2001:db8::9])\n\t(using TLSv1.3 with cipher X (256/256 bits)\n\t key-exchange X25519)\n\t(Client CN \"a\", Issuer \"b\" (not verified))\n\tby mx.provider.example; Mon",
                "2001:db8::9",
                Some("out.a.example"),
            ),
            (
                "from [198.51.100.7] (unknown [203.0.113.9]) by mx.provider.example (Postfix)",
                "203.0.113.9",
                None,
            ),
            // Sendmail and Courier without a name for the address, and Exim with one.
            (
                "from out.a.example ([::ffff:203.0.113.9]) by mx.provider.example (8.18.1/8.18.1) with ESMTP",
                "203.0.113.9",
                Some("out.a.example"),
            ),
            (
                "from out.a.example ([203.0.113.9] helo=greets.a.example)\r\n by mx.provider.example with esmtp (Exim 4.98)",
                "203.0.113.9",
                Some("greets.a.example"),
            ),
            (
                "from out.a.example ([203.0.113.9] helo=[9.9.9.9]) by mx.provider.example with esmtp (Exim 4.98)",
                "203.0.113.9",
                None,
            ),
        ] {
            let expected = Some((address.to_owned(), helo.map(str::to_owned)));
            for head in [
                format!("Return-Path: <a@b.example>\r\nReceived: {field}\r\nFrom: a@b.example\r\n\r\n"),
                format!(
                    "RECEIVED : {field}\nReceived: from x.example (x.example [9.9.9.9]) by mx.provider.example\n\n"
                ),
            ] {
                assert_eq!(found(&head), expected, "{head}");
            }
        }
    }

    #[test]
    fn no_strangers_word_is_an_address() {
        for field in [
            // Greetings that would be read as more than a name.
            "from a[9.9.9.9],by (unknown [203.0.113.66])\r\n\tby mx.provider.example (Postfix) with ESMTPS",
            "from a (b.example [9.9.9.9]) by mx.provider.example (unknown [203.0.113.66]) by mx.provider.example (Postfix)",
            "from a(b.example [9.9.9.9]) (unknown [203.0.113.66]) by mx.provider.example (Postfix)",
            "from \"a (x.example [9.9.9.9])\" (unknown [203.0.113.66]) by mx.provider.example",
            "from a\x0b(b.example [9.9.9.9]) by mx.provider.example",
            "from b\u{fc}cher.example (b.example [9.9.9.9]) by mx.provider.example",
            "from  (b.example [9.9.9.9]) by mx.provider.example",
            // The comment holds more than one address, or quotes the greeting.
            "from a.example (b.example [9.9.9.9] [203.0.113.66]) by mx.provider.example",
            "from a.example ([203.0.113.66] helo=x[9.9.9.9]) by mx.provider.example",
            "from [203.0.113.66] (helo=a [9.9.9.9]) by mx.provider.example with esmtp (Exim 4.98)",
            "from unknown (HELO [9.9.9.9]) (203.0.113.66) by mx.provider.example with SMTP",
            "from a.example (b.example [203.0.113.66] (may be forged)) by mx.provider.example",
            "from a.example (b.example [203.0.113.666]) by mx.provider.example",
            "from a.example (b.example 203.0.113.66) by mx.provider.example",
            // Another server's field, whose words name ours.
            "from a.example (b.example [9.9.9.9]) by mx.other.example with ESMTP",
            "from a.example (b.example [9.9.9.9]) (Client CN \"x) by mx.provider.example (\") by mx.other.example",
            "from a.example (b.example [9.9.9.9]) (Client CN \"x by mx.provider.example\") by mx.other.example",
            "from a.example (b.example [9.9.9.9]) x by mx.provider.example",
            "from a.example (b.example [9.9.9.9]) (never ends by mx.provider.example",
            "from a.example (b.example [9.9.9.9])by mx.provider.example",
            "by mx.provider.example (Postfix, from userid 0)",
            "",
        ] {
            assert_eq!(found(&format!("Received: {field}\r\n\r\n")), None, "{field}");
        }
        // The topmost is another server's; or it stands in the body, or inside another field.
        let ours = "Received: from a.example (b.example [9.9.9.9]) by mx.provider.example";
        for head in [
            format!("Received: from x by mx.other.example\r\n{ours}\r\n\r\n"),
            format!("Subject: x\r\n\r\n{ours}\r\n"),
            format!("Subject: x\r\n {ours}\r\n\r\n"),
            format!(
                "Received: from a.example (b.example [9.9.9.9])\r\n by {}\r\n\r\n",
                "x".repeat(FIELD_BYTES_MAX)
            ),
        ] {
            assert_eq!(found(&head), None, "{head:.200}");
        }
    }
}
