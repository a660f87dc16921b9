"""What every test shares."""

from hypothesis import settings

# The same examples in every run: a failure seen once can be seen again.
settings.register_profile("symscore", derandomize=True, deadline=None)
settings.load_profile("symscore")
