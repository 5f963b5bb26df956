-- All that a letter says, as data and sealed as its text is: what its PDF is made of. Letters from before have none.
ALTER TABLE letters ADD COLUMN form BLOB;
