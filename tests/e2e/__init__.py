# SPDX-License-Identifier: Apache-2.0
"""A package, so that its conftest and that of the integration tests do not stand in each other's way."""
