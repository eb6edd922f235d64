/* The Python module tol_luigi.core._resampling. It needs nothing but Python's stable interface. */

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <string.h>

#include "resampling.h"

/* Images with longer sides take more memory for weights than for pixels. */
#define LONGEST (1 << 20)

/* The Arrow C data interface: a struct of a fixed layout, by which libraries exchange arrays without copying them. */
typedef struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
} ArrowArray;

/* Return the bytes of an array of bytes or of lists of four bytes, or NULL with an exception. */
static const uint8_t *bytes_of(PyObject *capsule, int64_t pixels, int64_t bands)
{
    const ArrowArray *array = PyCapsule_GetPointer(capsule, "arrow_array");
    if (array == NULL) {
        return NULL;
    }
    if (bands == 4 && array->release != NULL && array->n_children == 1 && array->offset == 0 && array->length == pixels) {
        array = array->children[0];
    } else if (bands == 4) {
        array = NULL;
    }
    if (array == NULL || array->release == NULL || array->n_buffers != 2 || array->n_children != 0 || array->offset != 0
        || array->length != pixels * bands || array->buffers[1] == NULL) {
        PyErr_SetString(PyExc_ValueError, "the array does not have the pixels of an image of this size");
        return NULL;
    }
    return array->buffers[1];
}

static const Kernel *kernel_called(const char *name)
{
    for (const Kernel *const *kernel = KERNELS; *kernel != NULL; kernel++) {
        if (strcmp((*kernel)->name, name) == 0 && (*kernel)->is_supported()) {
            return *kernel;
        }
    }
    PyErr_Format(PyExc_ValueError, "this processor has no kernel %s", name);
    return NULL;
}

static int is_side(Py_ssize_t side)
{
    return side > 0 && side <= LONGEST;
}

static int is_inside(const float box[4], Py_ssize_t width, Py_ssize_t height)
{
    return 0 <= box[0] && box[0] < box[2] && box[2] <= (float)width && 0 <= box[1] && box[1] < box[3]
        && box[3] <= (float)height;
}

static PyObject *resize_array(PyObject *module, PyObject *arguments)
{
    PyObject *capsule;
    Py_ssize_t bands, width, height, new_width, new_height;
    float box[4];
    const char *name;
    (void)module;
    if (!PyArg_ParseTuple(
            arguments, "On(nn)(nn)(ffff)s:resize", &capsule, &bands, &width, &height, &new_width, &new_height, &box[0],
            &box[1], &box[2], &box[3], &name
        )) {
        return NULL;
    }
    if ((bands != 1 && bands != 4) || !is_side(width) || !is_side(height) || !is_side(new_width) || !is_side(new_height)
        || !is_inside(box, width, height)) {
        PyErr_SetString(PyExc_ValueError, "the size, the box or the number of bands is out of range");
        return NULL;
    }
    const Kernel *kernel = kernel_called(name);
    const uint8_t *pixels = kernel ? bytes_of(capsule, (int64_t)width * height, bands) : NULL;
    if (pixels == NULL) {
        return NULL;
    }
    PyObject *resized = PyBytes_FromStringAndSize(NULL, new_width * new_height * bands);
    if (resized == NULL) {
        return NULL;
    }
    const Source source = {pixels, (size_t)width, (size_t)height, (size_t)bands};
    uint8_t *bytes = (uint8_t *)PyBytes_AsString(resized);
    int is_resized;
    Py_BEGIN_ALLOW_THREADS
    is_resized = resize(&source, box, bytes, (size_t)new_width, (size_t)new_height, kernel);
    Py_END_ALLOW_THREADS
    if (!is_resized) {
        Py_DECREF(resized);
        return PyErr_NoMemory();
    }
    return resized;
}

static PyObject *kernel_names(PyObject *module, PyObject *ignored)
{
    (void)module;
    (void)ignored;
    PyObject *names = PyList_New(0);
    for (const Kernel *const *kernel = KERNELS; names != NULL && *kernel != NULL; kernel++) {
        if (!(*kernel)->is_supported()) {
            continue;
        }
        PyObject *name = PyUnicode_FromString((*kernel)->name);
        if (name == NULL || PyList_Append(names, name) < 0) {
            Py_CLEAR(names);
        }
        Py_XDECREF(name);
    }
    return names;
}

static PyMethodDef methods[] = {
    {"resize", resize_array, METH_VARARGS, "Return the pixels of a part of an image, resized."},
    {"kernels", kernel_names, METH_NOARGS, "Return the kernels that this processor can run, from the slowest to the fastest."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "_resampling",
    .m_doc = "Bicubic resizing with Pillow's arithmetic, in the instructions of the processor.",
    .m_size = 0,
    .m_methods = methods,
};

PyMODINIT_FUNC PyInit__resampling(void)
{
    return PyModuleDef_Init(&definition);
}
