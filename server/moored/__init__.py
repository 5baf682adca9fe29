"""moored: the container lifecycle as a gRPC service."""

from typing import Final

__version__: Final = "0.1.0"
