"""Who may ask what, how often, and whose it is: keys, scopes, rates, tenants, tickets."""
