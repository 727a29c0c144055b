package tenant

// Unknown returns how many unknown accounts a Directory remembers.
func Unknown(d *Directory) int { return len(d.accounts.unknown) }
