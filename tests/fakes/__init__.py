"""Stand-ins that speak the real protocol: servers, not mocks."""
