-- Say here what goes, and what stays.

-- Mirror the apply file, last change first, until the very schema is there that was there before.
