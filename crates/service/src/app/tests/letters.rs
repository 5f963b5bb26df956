//! Letters of the case file, and letters drawn up and set.

use std::path::PathBuf;

use casework::{
    event::{Actor, Body},
    finding::Promise,
    ids::TenantId,
};

use super::scene::{Scene, staff};
use crate::app::{
    DeskError, SetError, Typesetter,
    letters::{Kind, Said},
};

#[tokio::test]
async fn what_is_kept_of_a_letter_is_what_its_text_and_its_pdf_are_made_of() {
    let scene = Scene::new().await;
    let case = scene.ready().await;
    let ruth = || Actor::Staff(staff("ruth"));
    let event = scene.desk.redirect(case, ruth(), "letter").await.unwrap();
    let Body::Redirected { letter, .. } = event.body else {
        panic!("{event:?}")
    };
    let text = scene.desk.letter(case, letter).await.unwrap();
    let form = scene.desk.letter_form(case, letter).await.unwrap();
    assert_eq!(form.to_text(), text);
    let said = Said::default();
    let drawn = scene.desk.draw_letter(case, Kind::Redirect, &said).await.unwrap();
    assert_eq!(drawn.form, form);
    // Drawing one up keeps and records nothing.
    let told = Said {
        tenant: Some(TenantId::new("contoso").unwrap()),
        ..Said::default()
    };
    let before = (
        scene.desk.letters(case).await.unwrap(),
        scene.desk.events(case).await.unwrap().len(),
    );
    scene.desk.draw_letter(case, Kind::Notice, &told).await.unwrap();
    let after = (
        scene.desk.letters(case).await.unwrap(),
        scene.desk.events(case).await.unwrap().len(),
    );
    assert_eq!(before, after);
    let early = scene.desk.draw_letter(case, Kind::LateNotice, &told).await;
    assert!(
        matches!(
            early,
            Err(DeskError::NotNow {
                promise: Promise::P9,
                ..
            })
        ),
        "{early:?}"
    );
    let lacking = scene
        .desk
        .draw_letter(case, Kind::Cover, &said)
        .await
        .unwrap_err();
    assert_eq!(
        (lacking.code(), lacking.to_string().contains("`record`")),
        ("letter_lacks", true)
    );

    // Without the program there is the text, and an error that says what is missing.
    let none = Typesetter::at(PathBuf::from("/nonexistent/amparo-letter"));
    let scene = Scene {
        desk: scene.desk.clone().setting_letters(none),
        ..scene
    };
    let unset = scene.desk.set_letter(&form).await.unwrap_err();
    assert!(
        matches!(&unset, DeskError::Unset(SetError::NotInstalled(_))) && unset.hint().contains("text"),
        "{unset:?}"
    );

    // `./test` builds the program first.
    let program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../target/letter/debug/amparo-letter");
    if !program.exists() {
        println!(
            "skipped: the rest of what_is_kept_of_a_letter_is_what_its_text_and_its_pdf_are_made_of (no amparo-letter)"
        );
        return;
    }
    let desk = scene.desk.clone().setting_letters(Typesetter::at(program));
    desk.typesetter().trial().await.unwrap();
    let pdf = desk.set_letter(&form).await.unwrap();
    assert!(pdf.starts_with(b"%PDF-1.7"));
    assert_eq!(desk.set_letter(&form).await.unwrap(), pdf);
    let mut unshown = form;
    unshown.title = "東京".to_owned();
    match desk.set_letter(&unshown).await {
        Err(DeskError::Unset(SetError::NoGlyphs(characters))) => assert_eq!(characters, ["U+4EAC", "U+6771"]),
        other => panic!("{other:?}"),
    }
}
