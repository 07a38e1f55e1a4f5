# SPDX-License-Identifier: Apache-2.0
"""A package, so that its conftest and those of other tests do not stand in each other's way."""
