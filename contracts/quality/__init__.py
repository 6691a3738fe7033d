"""What health data can and cannot be: rules of the logical tier by entity, measures of the analytical tier.

Staging tables take the rules of one row that make sense for what their source delivers; core tables take what needs
rows together. Nearly all of them warn: a claim with an odd code is still a claim. A row is refused (`error`) only where
nothing could be done with it.
"""
