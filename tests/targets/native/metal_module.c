/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The shapes for Python, as an extension that is built against the headers of each interpreter from 2.7 on: where there
 * is no ctypes, and to be called with the GIL held, as most extensions are.
 *
 *	library = metal_module.load(path)
 *	metal_module.run(library, "metal_call", function or None, n)
 */
#include <Python.h>
#include <dlfcn.h>

#include "metal.h"

#define MAX_NESTED 16

static PyObject *callables[MAX_NESTED]; /* of the shapes that run now, innermost last */
static int n_callables;

static PyObject *load(PyObject *self, PyObject *args)
{
	const char *path;
	void *library;

	(void)self;
	if (!PyArg_ParseTuple(args, "s", &path))
		return NULL;
	library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!library)
		return PyErr_Format(PyExc_OSError, "%s", dlerror());
	return PyLong_FromVoidPtr(library);
}

static long call_back(long n)
{
	PyObject *result = PyObject_CallFunction(callables[n_callables - 1], "l", n);
	long value = result ? PyLong_AsLong(result) : -1;

	if (PyErr_Occurred())
		PyErr_Print();
	Py_XDECREF(result);
	return value;
}

static PyObject *run(PyObject *self, PyObject *args)
{
	PyObject *library, *callable;
	metal_shape shape;
	const char *name;
	long n, result;

	(void)self;
	if (!PyArg_ParseTuple(args, "OsOl", &library, &name, &callable, &n))
		return NULL;
	*(void **)&shape = dlsym(PyLong_AsVoidPtr(library), name);
	if (!shape || n_callables == MAX_NESTED)
		return PyErr_Format(PyExc_LookupError, "%s", name);
	if (callable == Py_None && n < 0) { /* a wait lets others run */
		Py_BEGIN_ALLOW_THREADS
		result = shape(NULL, n);
		Py_END_ALLOW_THREADS
		return PyLong_FromLong(result);
	}
	callables[n_callables++] = callable;
	result = shape(callable == Py_None ? NULL : call_back, n);
	n_callables--;
	return PyLong_FromLong(result);
}

static PyMethodDef methods[] = {
	{"load", load, METH_VARARGS, "load(path)"},
	{"run", run, METH_VARARGS, "run(library, shape, callable, n)"},
	{NULL, NULL, 0, NULL},
};

#if PY_MAJOR_VERSION < 3
PyMODINIT_FUNC initmetal_module(void)
{
	Py_InitModule("metal_module", methods);
}
#else
static struct PyModuleDef definition = {PyModuleDef_HEAD_INIT, .m_name = "metal_module", .m_size = -1,
					.m_methods = methods};

PyMODINIT_FUNC PyInit_metal_module(void)
{
	PyObject *module = PyModule_Create(&definition);

#ifdef Py_GIL_DISABLED
	PyUnstable_Module_SetGIL(module, Py_MOD_GIL_NOT_USED);
#endif
	return module;
}
#endif
