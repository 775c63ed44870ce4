#loc = loc(unknown)
module @grid attributes {module.FLOPs = 630 : i64, module.chip = "ALL", module.platform = "ONNX", module.state = "TOP_F32", module.top_run_mode = "STATIC", module.weight_file = "grid_top_f32_all_weight.npz"} {
  func.func @main(%arg0: tensor<1x4x8x8xf32> loc(unknown), %arg1: tensor<1x5x6x2xf32> loc(unknown)) -> tensor<1x4x5x6xf32> {
    %0 = "top.Input"(%arg0) {channel_format = "nchw", do_preprocess = true, keep_aspect_ratio = false, keep_ratio_mode = "letterbox", mean = [0.000000e+00, 0.000000e+00, 0.000000e+00], pad_type = "center", pad_value = 0 : i64, pixel_format = "bgr", scale = [1.000000e+00, 1.000000e+00, 1.000000e+00], yuv_type = ""} : (tensor<1x4x8x8xf32>) -> tensor<1x4x8x8xf32> loc(#loc1)
    %1 = "top.Input"(%arg1) {do_preprocess = true} : (tensor<1x5x6x2xf32>) -> tensor<1x5x6x2xf32> loc(#loc2)
    %2 = "top.GridSampler"(%0, %1) {align_corners = false, mode = 0 : i64, padding_mode = 0 : i64} : (tensor<1x4x8x8xf32>, tensor<1x5x6x2xf32>) -> tensor<1x4x5x6xf32> loc(#loc3)
    return %2 : tensor<1x4x5x6xf32> loc(#loc)
  } loc(#loc)
} loc(#loc)
#loc1 = loc("x")
#loc2 = loc("g")
#loc3 = loc("gsamp_GridSample")

