/* Finds where a JPEG's scan ends. convert/image/header.py has the same search in numpy.
 *
 * The interpreter's lock is not released: the search takes microseconds, and a thread that reads
 * the next photos could take the lock meanwhile and hold it much longer.
 */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <string.h>

static PyObject *end_of_scan(PyObject *module, PyObject *arguments)
{
    PyObject *data;
    Py_ssize_t start;

    (void)module;
    if (!PyArg_ParseTuple(arguments, "Sn:end_of_scan", &data, &start))
        return NULL;

    const char *first = PyBytes_AsString(data);
    Py_ssize_t length = PyBytes_Size(data);
    if (start < 0 || start > length) {
        PyErr_SetString(PyExc_IndexError, "start is outside of the data");
        return NULL;
    }
    const char *here = first + start, *end = first + length;
    /* A marker is two bytes, so the last byte begins none. */
    while (end - here > 1 && (here = memchr(here, 0xFF, (size_t)(end - here - 1))) != NULL) {
        unsigned char after = (unsigned char)here[1];

        if (after != 0x00 && after != 0xFF && (after < 0xD0 || after > 0xD7))
            return PyLong_FromSsize_t(here - first);
        here++;
    }
    return PyLong_FromLong(-1);
}

static PyMethodDef methods[] = {
    {"end_of_scan", end_of_scan, METH_VARARGS,
     "end_of_scan(data: bytes, start: int, /) -> int\n\n"
     "Find the first marker that ends a scan's data; -1 if there is none."},
    {NULL, NULL, 0, NULL},
};

static PyModuleDef_Slot slots[] = {{0, NULL}};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "convert.image._jpeg_scan",
    .m_doc = "Find where a JPEG's scan ends.",
    .m_methods = methods,
    .m_slots = slots,
};

PyMODINIT_FUNC PyInit__jpeg_scan(void);
PyMODINIT_FUNC PyInit__jpeg_scan(void)
{
    return PyModuleDef_Init(&definition);
}
