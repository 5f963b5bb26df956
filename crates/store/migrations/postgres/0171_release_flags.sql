-- What somebody must know of a package before it is handed over, as JSON: kept with its digest, and recorded in the case with the
-- release.
ALTER TABLE releases ADD COLUMN flags TEXT;
