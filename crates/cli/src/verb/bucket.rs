//! `amparo bucket`: a customer's buckets, made as the customer.

use std::process::ExitCode;

use anyhow::Context as _;
use casework::{
    demand::Category,
    ids::{AccountId, RegionId},
};
use clap::Subcommand;
use serde_json::json;
use service::vault::{Mapping, NewBucket, PathRule};

use super::place::{Owner, Place};
use crate::voice::{Format, data, say};

/// Make and list a customer's buckets, and say whose their objects are.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "A bucket made by an S3 client has no mapping: its objects belong to an account named after it, unless the \
    client says otherwise with headers (docs/s3.md).\n\n\
    Examples:\n  amparo bucket add mail --region eu-de --tenant contoso --credential contoso.s3 \\\n    \
    --map 'mail/{account}/{*}=content' --map 'profile/{account}/{*}=subscriber'\n\n\
    Exit codes: 0 done, 2 it could not be done."
)]
pub struct Args {
    #[command(subcommand)]
    verb: Verb,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a bucket in a region.
    Add {
        #[command(flatten)]
        owner: Owner,
        /// Its name, as S3 allows.
        name: String,
        /// Where its objects lie; the first region of the deployment unless given.
        #[arg(long)]
        region: Option<RegionId>,
        /// The account of objects for which neither a mapping nor a header names one; named after the bucket unless given.
        #[arg(long, value_name = "ACCOUNT")]
        default_account: Option<AccountId>,
        /// A path and the category of what lies there. `{account}` is the account, `{}` any one segment, `{*}` the rest.
        /// The first that matches decides; at most 64.
        #[arg(long = "map", value_name = "PATH=CATEGORY", value_parser = rule)]
        rules: Vec<PathRule>,
    },
    /// List the customer's buckets.
    List {
        #[command(flatten)]
        owner: Owner,
        /// How facts are printed.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
}

fn rule(text: &str) -> Result<PathRule, String> {
    let (template, category) = text
        .rsplit_once('=')
        .ok_or("write `mail/{account}/{*}=content`")?;
    let category: Category =
        serde_json::from_value(json!(category)).map_err(|error| format!("`{category}`: {error}"))?;
    Ok(PathRule {
        template: template.to_owned(),
        category,
    })
}

/// Runs the verb.
///
/// # Errors
/// When the credential is not the customer's, or the bucket cannot be made.
pub async fn run(args: Args) -> anyhow::Result<ExitCode> {
    let deployment = args.place.open().await?;
    let vault = deployment.vault();
    match args.verb {
        Verb::Add {
            owner,
            name,
            region,
            default_account,
            rules,
        } => {
            let owner = owner.sign_in(&deployment).await?;
            let first = deployment.config().regions.first().map(|first| first.id.clone());
            let region = region.or(first).context("the deployment has no region")?;
            let default_account = match default_account {
                Some(account) => account,
                None => AccountId::new(&name)?,
            };
            let bucket = NewBucket {
                name,
                region,
                default_account,
                mapping: Mapping { rules },
            };
            let made = vault.create_bucket(&owner, bucket).await?;
            say!("made `{}` in {}", made.name, made.region);
        }
        Verb::List { owner, format } => {
            let owner = owner.sign_in(&deployment).await?;
            let buckets = vault.list_buckets(&owner).await?;
            if format == Format::Json {
                let buckets: Vec<_> = buckets
                    .iter()
                    .map(|bucket| {
                        json!({
                            "name": bucket.name, "region": bucket.region, "default_account": bucket.default_account,
                            "mapping": bucket.mapping, "created_at": bucket.created_at,
                        })
                    })
                    .collect();
                data!(
                    "{}",
                    json!({"schema": "amparo.cli.buckets/1", "buckets": buckets})
                );
                return Ok(ExitCode::SUCCESS);
            }
            for bucket in buckets {
                data!("{}\t{}\t{}", bucket.name, bucket.region, bucket.default_account);
                for rule in bucket.mapping.rules {
                    data!(
                        "\t{}={}",
                        rule.template,
                        json!(rule.category).as_str().unwrap_or_default()
                    );
                }
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
